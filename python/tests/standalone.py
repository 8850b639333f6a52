"""Spark on a cluster of this machine: a master and two workers on two loopback addresses, with one core each."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pyspark = pytest.importorskip("pyspark")
if shutil.which("java") is None or sys.platform != "linux":
    pytest.skip("Java and Linux are needed", allow_module_level=True)

HOME = Path(pyspark.__file__).parent


# Executors are small, because several run on this machine.
CONF = {
    "spark.driver.memory": "512m", "spark.executor.memory": "512m", "spark.ui.enabled": "false", "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
}  # fmt: skip


class Cluster:
    """A standalone cluster."""

    def __init__(self, directory):
        self.directory, self.processes = directory, []
        self.env = {
            **os.environ,
            "SPARK_HOME": str(HOME), "SPARK_DAEMON_MEMORY": "256m", "PYSPARK_PYTHON": sys.executable,
            "SPARK_WORKER_DIR": str(directory / "work"), "SPARK_LOCAL_DIRS": str(directory / "local"),
        }  # fmt: skip
        text = self.start("master", "127.0.0.1", ["--host", "127.0.0.1", "--port", "0", "--webui-port", "0"], rb"Starting Spark master at (\S+)")
        self.url = text
        for host in ("127.0.0.2", "127.0.0.3"):
            arguments = ["--host", host, "--cores", "1", "--memory", "1g", "--webui-port", "0", self.url]
            self.start("worker", host, arguments, rb"(Successfully) registered with master")

    def start(self, what, host, arguments, sign):
        """Starts a part of the cluster and waits until its log has the sign."""
        log = self.directory / f"{what}-{host}.log"
        call = [HOME / "bin" / "spark-class", f"org.apache.spark.deploy.{what}.{what.capitalize()}", *arguments]
        return self.wait(call, {**self.env, "SPARK_LOCAL_IP": host}, log, sign)

    def wait(self, call, env, log, sign):
        with open(log, "wb") as file:
            process = subprocess.Popen(call, env=env, stdout=file, stderr=file, stdin=subprocess.DEVNULL, start_new_session=True)
        self.processes.append(process)
        until = time.monotonic() + 180
        while not (found := re.search(sign, log.read_bytes())):
            assert process.poll() is None and time.monotonic() < until, log.read_text()
            time.sleep(0.1)
        return found[1].decode()

    @contextlib.contextmanager
    def running(self, call, env, log, sign):
        """Runs a program that takes cores of the cluster, which it gives back at the end, and has what the sign finds in its log."""
        text = self.wait(call, env, log, sign)
        try:
            yield text
        finally:
            self.end(self.processes.pop())

    def stop(self):
        while self.processes:
            self.end(self.processes.pop())

    def end(self, process):
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@contextlib.contextmanager
def session(cluster, **conf):
    """An application on the cluster."""
    from pyspark.sql import SparkSession

    with pytest.MonkeyPatch.context() as patch:
        for name, value in cluster.env.items():
            patch.setenv(name, value)
        builder = SparkSession.builder.master(cluster.url).appName("tests").config("spark.task.maxFailures", "2")
        for name, value in {**CONF, **conf}.items():
            builder = builder.config(name, value)
        made = builder.getOrCreate()
        yield made
        made.stop()
