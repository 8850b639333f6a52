"""Runs on Spark with captures and output in an object store, whose credentials only the executors have."""

import re
import threading
import traceback
from pathlib import Path

import pytest

pytest.importorskip("numpy")

from standalone import session  # noqa: E402, which skips where there is no Spark
from store import BUCKET, Store  # noqa: E402, which skips where there is no moto

import pcapbatch  # noqa: E402
import pcapbatch.spark  # noqa: E402
from cluster import Program, captures, extracted, same  # noqa: E402
from pcapbatch import _binary  # noqa: E402

TESTDATA = Path(__file__).parents[2] / "testdata"
KEYS = {  # of captures, and what they are
    "in/a b.pcap": "example.pcap", "in/ü %41%2F+&?.pcap.gz": "gzip.pcap.gz", "in/#1.pcapng": "pcapng-le.pcapng",
    "in/damaged.pcap": "damaged-record.pcap",
}  # fmt: skip


@pytest.fixture(scope="module")
def store():
    made = Store()
    for key, name in KEYS.items():
        made.put(key, TESTDATA / name)
    yield made
    made.stop()


@pytest.fixture(scope="module")
def mount(tmp_path_factory):
    """A directory that Spark calls s3a://captures/tables: it has no file system for S3 itself, as that is no part of pyspark."""
    return tmp_path_factory.mktemp("tables")


@pytest.fixture(scope="module")
def spark(cluster, store, mount):
    conf = {f"spark.executorEnv.{name}": value for name, value in store.env.items()}
    conf["spark.hadoop.fs.s3a.impl"] = "org.apache.hadoop.fs.viewfs.ViewFileSystemOverloadScheme"
    conf[f"spark.hadoop.fs.viewfs.mounttable.{BUCKET}.link./tables"] = f"file://{mount}"
    with session(cluster, **conf) as made:
        yield made


@pytest.fixture
def program(tmp_path):
    return Program(tmp_path, _binary.path())


@pytest.fixture
def local(store, tmp_path):
    """The captures as files of this machine, and what batch extract makes of them."""
    directory = store.fetch("in/", tmp_path / "in")
    return extracted(tmp_path, [directory], "--features=all", "--idle-timeout=60s")


def extract(spark, program, names, output, **options):
    return pcapbatch.spark.extract_to(spark, names, output, program=f"local:{program.path}", **{"partitions": 2, **options})


def test_same_rows(spark, store, mount, program, local, tmp_path):
    """Rows, damage, summary and report of captures in S3, some of them small, one of them in ranges."""
    [big] = captures(tmp_path / "big", 1, 100_000)
    store.put("big.pcap", big)
    rows, summary = extracted(tmp_path / "big", [tmp_path / "in", big], "--features=all", "--idle-timeout=60s")
    out = {"summary": f"s3a://{BUCKET}/summary.json", "report": f"s3://{BUCKET}/report.html", "unit_bytes": 3 << 20}
    found = extract(
        spark, program, [f"s3a://{BUCKET}/in/", f"s3://{BUCKET}/big.pcap"], f"s3a://{BUCKET}/tables/sessions",
        features="all", idle_timeout=60, **out,
    )  # fmt: skip
    assert sum("--range=" in call for call in program.calls("map")) >= 2
    keys = store.keys_below("tables/sessions/")
    assert [k.rpartition("/")[2] for k in keys] == [f"part-{i:05}-of-00002.parquet" for i in range(2)]
    same(rows, store.fetch("tables/", mount) / "sessions")
    assert found.sessions.count() == summary["sessions"]
    assert [(r.path, r.record, r.offset) for r in found.damage.collect()] == [(f"s3://{BUCKET}/in/damaged.pcap", 4, 231)]
    assert b"<html" in store.read("report.html")
    store.assert_no_credentials(program.log.read_text(), str(found.damage.collect()))
    for secret in store.keys.values():
        with pytest.raises(AssertionError):
            store.assert_no_credentials(f"a text with {secret} in it")


def refused(spark, store, program, names, reason, output=f"s3://{BUCKET}/refused", **options):
    """Asserts that a run is an InputError for this reason, and that nothing that Spark says of it has a credential in it."""
    with pytest.raises(pcapbatch.InputError, match=reason) as caught:
        extract(spark, program, names, output, **options)
    store.assert_no_credentials("".join(traceback.format_exception(caught.type, caught.value, caught.tb)))
    assert not store.keys_below("refused/")
    return str(caught.value)


@pytest.mark.parametrize("name", [f"s3a://{BUCKET}/none.pcap", f"s3a://{BUCKET}/none/", "s3://nobody/in/"])
def test_missing(spark, store, program, name):
    refused(spark, store, program, [f"s3://{BUCKET}/in/", name], re.escape(name.replace("s3a:", "s3:")) + ": there (is|are) no")


def test_one_denied(spark, store, program, local, tmp_path):
    """An object that may not be read any more when its unit is: others are kept, and the next run does not read them."""
    key, made = "in/a b.pcap", []

    def deny(method, path, _):
        if not made and program.calls("map"):
            made.append(path)
            store.deny(key)

    def note(method, path, _):
        if method == "PUT" and "/work/runs/" in path:
            made.append(path)

    options = {"features": "all", "idle_timeout": 60, "work": f"s3a://{BUCKET}/work/"}
    with store.calling(deny):
        said = refused(spark, store, program, f"s3://{BUCKET}/in/", f"{key}: access denied", **options)
    assert all(other not in said for other in KEYS if other not in (key, "in/damaged.pcap"))
    assert len(store.keys_below("work/runs/")) == len(KEYS) - 1
    store.allow()
    made.clear()
    with store.calling(note):
        extract(spark, program, f"s3://{BUCKET}/in/", f"s3://{BUCKET}/work/sessions", **options)
    assert len(made) == 1, made
    same(local[0], store.fetch("work/", tmp_path / "work") / "sessions")
    with pytest.raises(pcapbatch.UsageError, match="work/sessions is there already"):
        extract(spark, program, f"s3://{BUCKET}/in/", f"s3://{BUCKET}/work/sessions", **options)


def test_object_changes(spark, store, program, tmp_path):
    """An object that is another one than when the program met it: Spark's next try reads the new one."""
    contents = [captures(tmp_path / str(packets), 1, packets)[0] for packets in (100_000, 90_000)]
    store.put("changes.pcap", contents[0])
    changes, one = [], threading.Lock()

    def change(method, path, range):
        """Changes the object once in each try, when its beginning has been read."""
        begin = range.removeprefix("bytes=").partition("-")[0]
        if path.endswith("changes.pcap") and method == "GET" and begin not in ("", "0"):
            with one:
                if len(changes) < min(most, len(program.calls("map"))):
                    changes.append(begin)
                    store.put("changes.pcap", contents[len(changes) % 2])

    most = 2  # as often as Spark tries
    with store.calling(change):
        refused(spark, store, program, f"s3://{BUCKET}/changes.pcap", "changes.pcap: .*the object has changed")
    changes.clear()
    program.reset()
    most = 1
    with store.calling(change):
        extract(spark, program, f"s3://{BUCKET}/changes.pcap", f"s3://{BUCKET}/changed")
    assert len(program.calls("map")) == 2
    same(extracted(tmp_path, contents[1:])[0], store.fetch("changed/", tmp_path / "changed"))


@pytest.mark.parametrize("name,reason", [("AWS_SECRET_ACCESS_KEY", "SignatureDoesNotMatch"), ("AWS_SESSION_TOKEN", "InvalidToken")])
def test_credentials_refused(spark, store, program, name, reason):
    wrong = "Wrong0123456789/Wrong"
    program.path.write_text(program.path.read_text().replace("\n", f"\nexport {name}={wrong}\n", 1))
    said = refused(spark, store, program, f"s3://{BUCKET}/in/", f"refuses the credentials: {reason}")
    assert wrong not in said


def test_name_that_spark_does_not_know(spark, cluster, store, program, monkeypatch):
    """Spark without a file system for s3:// is found out before there is work; the script does not need one."""
    names, output = f"s3://{BUCKET}/in/", f"s3://{BUCKET}/script"
    with pytest.raises(pcapbatch.UsageError, match='No FileSystem for scheme "s3".*read_from'):
        pcapbatch.spark.extract(spark, names, output, program=f"local:{program.path}")
    assert not program.calls("plan")
    monkeypatch.setattr(type(spark), "stop", lambda _: None)
    assert pcapbatch.spark.main(["-o", output, "--features", "all", names]) == 1  # as one of them is damaged
    assert store.keys_below("script/") == ["script/part-00000-of-00001.parquet"]
    # Nor is there a credential in what Spark has written in all these tests.
    store.assert_no_credentials(*(p.read_text(errors="replace") for p in cluster.directory.rglob("*") if p.is_file() and p.suffix != ".jar"))
