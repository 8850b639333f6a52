"""Captures to a data set with Apache Spark, classic or Connect.

>>> import pcapbatch.spark
>>> sessions = pcapbatch.spark.extract(spark, "/mnt/captures", "/mnt/sessions", features="all")

As a script: ``spark-submit spark_extract.py --help``, or ``python -m pcapbatch.spark --help``.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import os
import re
import shutil
import stat
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Iterable, Iterator, Union

from . import _binary, _cluster, _steps
from ._errors import Damage, PcapbatchError, UsageError
from ._extract import PathLike

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

# What a program that lies on every node begins with, as in options of Spark.
ON_NODES = "local:"


class Extraction:
    """What one run gave: its output and what was damaged."""

    def __init__(self, damage: DataFrame, read: Callable[[], DataFrame]) -> None:
        self.damage = damage  # a row for each capture that is damaged or none: path, kind, record, offset, reason
        self._read = read

    @functools.cached_property
    def sessions(self) -> DataFrame:
        """The DataFrame of the output, with a row for each session. Spark looks at the output when this is first asked for."""
        return self._read()


def extract(
    spark: SparkSession,
    paths: Union[PathLike, Iterable[PathLike]],
    output: PathLike,
    **options: Any,
) -> DataFrame:
    """Reads captures with the tasks of a Spark cluster and returns a DataFrame with a row for each network session.

    It is the DataFrame of the data set ``output``, a new directory of Parquet
    files. ``paths`` are files, directories and patterns as all nodes know them,
    on a shared file system or in S3, or other URLs, which fsspec reads.

    Of the arguments of ``pcapbatch.extract`` it takes those that choose columns
    and sessions, ``labels`` and ``recursive``. Others are:

    - ``format``: "parquet" or "csv".
    - ``overwrite``: replace an output that is there.
    - ``partitions``: the number of files, by default one for 256 MiB of captures.
    - ``unit_bytes``: of captures in a map task, by default 512 MiB.
    - ``work``: a directory for run files. They stay there, and the next run
      reads only captures that are new. By default it is beside the output, is
      removed at the end, and stays when the run fails, so that running it again
      costs what is missing. It goes with one output and one run at a time.
    - ``summary``, ``report``: files for the summary (JSON) and report (HTML).
    - ``memory``: what one task uses at most, such as "2G"; by default its share
      of the node, or of the memory overhead of its container.
    - ``temp_dir``: on local disks, by default Spark's.
    - ``program``: the program that travels with the job, by default that of
      this package, or "local:/path" for one that lies on every node.
    - ``storage_options``: for fsspec.
    - ``read_from``: the name by which Spark reads the output, if that is not
      ``output``.

    Each capture that is damaged is a CaptureWarning. A unit that fails is tried
    again as Spark is told to (spark.task.maxFailures); when the last try fails,
    InputError and others have the message of the program.
    """
    where = _where(output, options.pop("read_from", None))
    _check_file_system(spark, where)
    damage = _run(spark, paths, output, **options)
    _cluster.warn(damage, stacklevel=3)
    return _read(spark, where, options.get("format"))


def extract_to(
    spark: SparkSession,
    paths: Union[PathLike, Iterable[PathLike]],
    output: PathLike,
    **options: Any,
) -> Extraction:
    """Does what extract does, but returns damage as a DataFrame and raises no warning.

    The output is not read before ``sessions`` of the result is asked for. So it
    can be in a store that the tasks have access to and Spark itself has not.
    """
    where = _where(output, options.pop("read_from", None))
    damage = _run(spark, paths, output, **options)
    rows = [(d.path, d.kind, d.record, d.offset, d.reason) for d in damage]
    table = spark.createDataFrame(rows, "path string, kind string, record long, offset long, reason string")
    return Extraction(table, lambda: _read(spark, where, options.get("format")))


def _run(
    spark: SparkSession,
    paths: Union[PathLike, Iterable[PathLike]],
    output: PathLike,
    *,
    program: PathLike | None = None,
    **options: Any,
) -> list[Damage]:
    """Makes the output and returns the damage."""
    job = _cluster.prepare(paths, output, **{**_memory(spark), **options})
    outcomes = _cluster.run(job, _tasks(spark, _ship(spark, program)))
    return [d for d in map(_cluster.damage, outcomes) if d]


def _read(spark: SparkSession, where: str, format: str | None) -> DataFrame:
    """The DataFrame of a data set."""
    return spark.read.csv(where, header=True, inferSchema=True) if format == "csv" else spark.read.parquet(where)


def _check_file_system(spark: SparkSession, where: str) -> None:
    """Raises UsageError if Spark has no file system for a name, so that this shows before the work and not after it."""
    if not _steps.is_url(where) or where.startswith("file:"):
        return
    try:
        _ = spark.read.text(where).schema  # with Connect, nothing is asked of the server before that
    except Exception as failure:  # mostly because there is nothing yet
        if reason := re.search(r"No FileSystem for scheme[^\n]*|Class \S+FileSystem not found", str(failure)):
            raise UsageError(
                f"Spark cannot read {where}: {reason[0]}: install that file system (hadoop-aws for s3a://), or give"
                " with read_from the name by which Spark can read it, or use extract_to, which does not read it"
            ) from failure


def _tasks(spark: SparkSession, program: str) -> _cluster.Tasks:
    """What runs steps as tasks of Spark, one in each partition of a DataFrame."""
    from pyspark import cloudpickle

    cloudpickle.register_pickle_by_value(_steps)
    step, slot = _steps.step, _steps.Slot

    def tasks(job: _steps.Job, todo: list[tuple[str, Any]]) -> list[str]:
        def work(batches: Iterable[Any]) -> Iterator[Any]:
            import pyarrow
            from pyspark import SparkFiles, TaskContext

            context = TaskContext.get()
            path = program[len("local:") :] if program.startswith("local:") else SparkFiles.get(program)
            here = slot(path, context.cpus() if context else 1)
            for batch in batches:
                for number in batch.column(0).to_pylist():
                    lines = step(job, here, *todo[number])
                    yield pyarrow.RecordBatch.from_arrays([pyarrow.array(lines, pyarrow.string())], ["line"])

        rows = spark.range(0, len(todo), 1, len(todo)).mapInArrow(work, "line string").collect()
        return [r.line for r in rows]

    return tasks


_shipped: dict[str, tempfile.TemporaryDirectory[str]] = {}  # by name; they last as long as the process


def _ship(spark: SparkSession, program: PathLike | None) -> str:
    """Has the program travel with the tasks, under a name of its content, and returns the name."""
    path = os.fspath(program) if program is not None else _binary.path()
    if path.startswith(ON_NODES):
        return path
    name = "pcapbatch-" + hashlib.sha256(Path(path).read_bytes()).hexdigest()[:16]
    if name not in _shipped:
        _shipped[name] = tempfile.TemporaryDirectory(prefix="pcapbatch-")
        copy = shutil.copy(path, Path(_shipped[name].name) / name)
        os.chmod(copy, os.stat(copy).st_mode | stat.S_IXUSR)
    file = str(Path(_shipped[name].name) / name)
    if type(spark).__module__.startswith("pyspark.sql.connect"):
        spark.addArtifacts(file, file=True)
    else:
        spark.sparkContext.addFile(file)
    return name


def _memory(spark: SparkSession) -> dict[str, Any]:
    """The memory of a task, where the cluster says it, or what of a node is not for tasks."""
    get = spark.conf.get
    heap = _bytes(get("spark.executor.memory", "1g") or "1g")
    overhead = get("spark.executor.memoryOverhead", None)
    master = get("spark.master", "") or ""
    if overhead is None and master.startswith(("yarn", "k8s")):
        factor = float(get("spark.executor.memoryOverheadFactor", None) or (0.4 if master.startswith("k8s") else 0.1))
        overhead = f"{max(384, int(heap * factor) >> 20)}m"
    if overhead is None:
        return {"reserved": heap}
    slots = max(1, int(get("spark.executor.cores", "1") or 1) // int(get("spark.task.cpus", "1") or 1))
    # A Python worker has some 100 MiB, and the program 68 MiB beyond its limit.
    return {"memory": str(max(_bytes(overhead, "m") // slots - (168 << 20), 64 << 20))}


def _bytes(size: str, unit: str = "b") -> int:
    """A size as options of Spark have it, in bytes."""
    digits = size.strip().lower().rstrip("b")
    if digits[-1:].isdigit():
        digits += unit
    return int(digits[:-1]) << {"b": 0, "k": 10, "m": 20, "g": 30, "t": 40, "p": 50}[digits[-1]]


def _where(output: PathLike, read_from: str | None) -> str:
    """What Spark calls the output."""
    if read_from:
        return read_from
    if _steps.is_url(os.fspath(output)):
        return os.fspath(output).rstrip("/")  # s3a:// stays, as Spark need not know s3://
    path = _cluster.place(output)
    if path.startswith("/dbfs/"):
        return "dbfs:" + path[len("/dbfs") :]
    if path.startswith("/Volumes/"):
        return path
    return "file://" + path


def main(arguments: list[str] | None = None) -> int:
    """The script: extract with its arguments as flags. The exit status is that of the program."""
    options = vars(_parser().parse_args(arguments))
    paths, output = options.pop("paths"), options.pop("output")
    given = {k: v for k, v in options.items() if v is not None}
    from pyspark.sql import SparkSession

    spark = SparkSession.builder.appName("pcapbatch").getOrCreate()
    try:
        damage = _run(spark, paths, output, **given)
    except (PcapbatchError, TypeError) as failure:
        print(f"pcapbatch: {failure}", file=sys.stderr)
        return getattr(failure, "status", 2) or 2
    finally:
        spark.stop()
    for d in damage:
        print(f"pcapbatch: {d}", file=sys.stderr)
    return 1 if damage else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pcapbatch.spark", description="Captures to a data set with Apache Spark.")
    parser.add_argument("paths", nargs="+", metavar="CAPTURE", help="files, directories, patterns or URLs, as all nodes know them")
    parser.add_argument("-o", "--output", required=True, help="the directory to make")
    text = (
        "features quantiles columns schema direction key idle-timeout active-timeout idle-threshold labels default-label"
        " format work summary report memory temp-dir program"
    )
    for name in text.split():
        parser.add_argument(f"--{name}")
    for name in ("sequence", "partitions", "unit-bytes"):
        parser.add_argument(f"--{name}", type=int)
    for name in ("sample-std", "decapsulate", "tcp-end", "recursive", "overwrite"):
        parser.add_argument(f"--{name}", action="store_true", default=None)
    return parser


if __name__ == "__main__":
    sys.exit(main())
