"""What engines have in common, without one."""

import traceback
from pathlib import Path

import pytest

pytest.importorskip("numpy")

import pcapbatch  # noqa: E402
from cluster import captures, extracted, same  # noqa: E402
from pcapbatch import _binary, _cluster, _steps  # noqa: E402

TESTDATA = Path(__file__).parents[2] / "testdata"


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


@pytest.mark.parametrize("message, there", [("there are no objects whose keys begin with that", False), ("the object store answers with status 503", None)])
def test_output_that_may_be_there(monkeypatch, message, there):
    def fails(*args, **options):
        raise _steps.TaskError(_steps.text(4, f"batch: s3://b/out/: {message}"))

    monkeypatch.setattr(_steps, "_run", fails)
    job, slot = _cluster.prepare("s3://b/k", "s3://b/out"), _steps.Slot("batch")
    if there is None:
        with pytest.raises(_steps.TaskError, match="503"):
            _steps._has_objects("s3://b/out", job, slot)
    else:
        assert _steps._has_objects("s3://b/out", job, slot) is there


def run(names, output, **options):
    """Runs all steps in this process and returns the job and the outcomes of damaged captures."""
    job = _cluster.prepare(names, output, **options)

    def tasks(job, todo):
        return [line for name, argument in todo for line in _steps.step(job, _steps.Slot(_binary.path()), name, argument)]

    return job, _cluster.run(job, tasks)


@pytest.fixture
def hosts():
    """Files of hosts, by path, which fsspec reads as hosted://USER:PASSWORD@HOST/PATH."""
    fsspec = pytest.importorskip("fsspec")
    from fsspec.implementations.memory import MemoryFile

    files = {"a": {}, "b": {}}

    class Hosted(fsspec.AbstractFileSystem):
        protocol = "hosted"

        def __init__(self, host, password=None, **options):
            super().__init__(host=host, password=password, **options)
            self.files, self.password = files[host], password

        @classmethod
        def _strip_protocol(cls, path):
            return "/" + path.partition("://")[2].partition("/")[2].rstrip("/") if "://" in path else path

        @staticmethod
        def _get_kwargs_from_urls(url):
            user, _, host = url.partition("://")[2].partition("/")[0].rpartition("@")
            return {"host": host, **({"password": user.partition(":")[2]} if user else {})}

        def ls(self, path, detail=True, **_):
            if path == "/denied":
                raise PermissionError(f"{self.password} may not read {path}?sig=abc%2Fdef&x=1")
            found = [{"name": n, "size": len(c), "type": "file", "etag": hash(c)} for n, c in self.files.items() if n.startswith(path.rstrip("/"))]
            if not found:
                raise FileNotFoundError(path)
            return found if detail else [i["name"] for i in found]

        def info(self, path, **_):
            found = self.ls(path)
            return found[0] if found[0]["name"] == path else {"name": path, "size": 0, "type": "directory"}

        def open(self, path, mode="rb", block_size=None, **_):
            content = self.files[path]
            self.read(path)
            return MemoryFile(data=content)

        def read(self, path):
            """A test can change a file here."""

    fsspec.register_implementation("hosted", Hosted, clobber=True)
    yield files, Hosted
    Hosted.clear_instance_cache()


def test_urls_of_hosts(hosts, tmp_path):
    """Of URLs with a host, map reads from that host, and files of the same path are not the same."""
    files, _ = hosts
    made = [*captures(tmp_path / "in", 3, 200), TESTDATA / "damaged-record.pcap"]
    for capture, host, name in zip(made, "aabb", ("0 ü%41.pcap", "1 ü%41.pcap", "0 ü%41.pcap", "damaged.pcap")):
        files[host][f"/in/{name}"] = capture.read_bytes()
    job, damaged = run(["hosted://me:hunter22@a/in/", "hosted://b/in/*.pcap"], tmp_path / "sessions", report=tmp_path / "report.html", work=tmp_path / "work")
    assert [o["name"] for o in damaged] == ["hosted://b/in/damaged.pcap"]
    rows, _ = extracted(tmp_path, made)
    same(rows, tmp_path / "sessions")
    report = (tmp_path / "report.html").read_text()
    assert "hosted://me@a/in/0 ü%41.pcap" in report
    written = [p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()]
    assert len(written) > 5 and not any(b"hunter22" in content for content in written)


def test_secrets_of_urls(hosts, tmp_path):
    """Neither passwords in URLs and options nor signatures are in messages, whatever fsspec says."""
    for names, options in (("hosted://me:hunter22@a/denied", {}), ("hosted://a/denied", {"password": "hunter22"})):
        with pytest.raises(pcapbatch.InputError, match="may not read") as caught:
            run(names, tmp_path / "sessions", storage_options=options)
        said = "".join(traceback.format_exception(caught.type, caught.value, caught.tb))
        assert "hunter22" not in said and "sig=...&x=1" in said, said


def test_url_that_changes(hosts, tmp_path, monkeypatch):
    """A capture that is another one when fsspec has read it is an error, and no run file is made."""
    files, store = hosts
    content = (TESTDATA / "example.pcap").read_bytes()
    files["a"]["/x.pcap"] = content
    monkeypatch.setattr(store, "read", lambda self, path: self.files.update({path: content[::-1]}))
    with pytest.raises(pcapbatch.InputError, match="hosted://a/x.pcap: the capture changed while it was read"):
        run("hosted://a/x.pcap", tmp_path / "sessions", work=tmp_path / "work")
    assert not [p for p in (tmp_path / "work").rglob("*.run")]
