"""What engines have in common, without one."""

from pathlib import Path

import pytest

import pcapbatch
from pcapbatch import _cluster


def test_names_of_captures():
    job = _cluster.prepare(["s3a://b/k/", "s3n://b/k", "gs://b/k ü%41/", "/x/", "https://h/?a=/"], "s3a://b/out/")
    assert job.names == ["s3://b/k/", "s3://b/k", "gs://b/k ü%41/", "/x", "https://h/?a=/"]
    assert (job.output, job.work, job.table) == ("s3://b/out", "s3://b/out.pcapbatch", "s3://b/out")


@pytest.mark.parametrize("argument", ["output", "work", "summary", "report"])
@pytest.mark.parametrize("name", ["hdfs://host/x", "gs://b/x", "s3:/b/x", "dbfs:/x", Path("s3://b/x")])
def test_names_that_cannot_be_written(argument, name):
    with pytest.raises(pcapbatch.UsageError, match="goes to a path or to s3://|begins with (s3|dbfs)://"):
        _cluster.prepare("s3://b/k", **{"output": "/out", argument: name})


def test_name_that_lost_a_slash():
    with pytest.raises(pcapbatch.UsageError, match="begins with s3://"):
        _cluster.prepare(Path("s3://b/k"), "/out")
