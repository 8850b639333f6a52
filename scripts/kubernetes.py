"""kubernetes.py BATCH FILE VERSION...: checks the Jobs of the example for Kubernetes.

Each must be valid by the strict schemas of the versions, and the shell commands
in them, run here one after the other, must make the rows of `batch extract`.
"""

import copy
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import kubernetes_validate
import yaml


def spec(job):
    return job["spec"]["template"]["spec"]


def check_schemas(jobs, versions):
    """The schemas take the Jobs, and refuse a field that they do not know."""
    for version in versions:
        for job in jobs:
            kubernetes_validate.validate(job, version, strict=True)
            wrong = copy.deepcopy(job)
            wrong["spec"]["podFailurePolicy"]["rule"] = []
            try:
                kubernetes_validate.validate(wrong, version, strict=True)
            except kubernetes_validate.ValidationError:
                continue
            sys.exit(f"the schema of {version} takes a field that there is not")
        print(f"valid in Kubernetes {version}: {len(jobs)} Jobs")


def check_rules(jobs):
    """What Kubernetes checks beyond its schemas."""
    for job in jobs:
        indexed = job["spec"].get("completionMode") == "Indexed"
        rules = job["spec"]["podFailurePolicy"]["rules"]
        assert spec(job)["restartPolicy"] == "Never"
        assert indexed == ("backoffLimitPerIndex" in job["spec"]), job
        assert indexed == (rules[0]["action"] == "FailIndex"), job
        values = rules[0]["onExitCodes"]["values"]
        assert values == sorted(set(values)) and 0 not in values
        assert rules[0]["onExitCodes"]["containerName"] in [c["name"] for c in spec(job)["containers"]]
        volumes = {v["name"] for v in spec(job)["volumes"]}
        assert {m["name"] for m in spec(job)["containers"][0]["volumeMounts"]} == volumes


class Cluster:
    """Runs the commands of Jobs in a directory that stands for the volumes."""

    def __init__(self, jobs, batch, directory):
        self.jobs = {job["metadata"]["labels"]["step"]: job for job in jobs}
        self.directory = directory
        (directory / "bin").mkdir()
        (directory / "scratch").mkdir()
        (directory / "bin" / "batch").symlink_to(batch)

    def step(self, name):
        """Runs all indexes of a step; returns the exit statuses that are not 0."""
        job = self.jobs[name]
        container = spec(job)["containers"][0]
        line = container["args"][0].replace("/data", f"{self.directory}/data")
        line = line.replace("/scratch", f"{self.directory}/scratch")
        env = dict(os.environ, PATH=f"{self.directory}/bin:{os.environ['PATH']}")
        env.update({e["name"]: e["value"] for e in container.get("env", [])})
        ends = set()
        for index in range(job["spec"].get("completions", 1)):
            env["JOB_COMPLETION_INDEX"] = str(index)
            run = subprocess.run(container["command"] + [line], env=env, stderr=subprocess.PIPE, text=True)
            ends.add(run.returncode)
            if run.returncode not in (0, 4, 5):
                sys.exit(f"{name}: exit status {run.returncode}: {run.stderr}")
        return ends - {0}


def check_commands(jobs, batch, captures):
    indexes = next(e["value"] for e in spec(jobs[1])["containers"][0]["env"] if e["name"] == "INDEXES")
    assert int(indexes) == jobs[1]["spec"]["completions"]
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        data = directory / "data"
        (data / "captures").mkdir(parents=True)
        for path in captures:
            shutil.copy(path, data / "captures")
        damaged = data / "captures" / captures[0].name
        damaged.write_bytes(damaged.read_bytes()[:-1])
        cluster = Cluster(jobs, batch, directory)
        # Units of a few captures each, so that an index has several.
        plan = spec(cluster.jobs["plan"])["containers"][0]
        assert " plan -q " in plan["args"][0]
        plan["args"][0] = plan["args"][0].replace(" plan -q ", " plan -q --unit-bytes 300 ")
        assert not cluster.step("plan")
        units = (data / "plan.jsonl").read_text().count("\n")
        assert units > int(indexes), units
        hidden = directory / "hidden"
        damaged.rename(hidden)
        assert cluster.step("map") == {4}, "a missing capture"
        assert cluster.step("reduce") == {5}, "a run file that is not there"
        hidden.rename(damaged)
        for step in ("map", "reduce", "merge"):
            assert not cluster.step(step), step
        want = data / "want.csv"
        subprocess.run([batch, "extract", "-q", "-o", want, data / "captures"], stderr=subprocess.DEVNULL)
        subprocess.run([batch, "compare", data / "sessions.csv", want], check=True)


def main():
    batch, file, versions = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]), sys.argv[3:]
    jobs = list(yaml.safe_load_all(file.read_text()))
    check_schemas(jobs, versions)
    check_rules(jobs)
    captures = sorted(pathlib.Path("testdata").glob("*.pcap"))
    check_commands(jobs, batch, captures)


main()
