"""Ray on this machine."""

import sys
import traceback
from pathlib import Path

import pytest

ray = pytest.importorskip("ray")
pytest.importorskip("numpy")
if sys.platform != "linux":
    pytest.skip("Linux is needed", allow_module_level=True)

import pcapbatch  # noqa: E402
import pcapbatch.ray  # noqa: E402
from cluster import Program, captures, extracted, killed_while_held, same  # noqa: E402
from pcapbatch import _binary  # noqa: E402

TESTDATA = Path(__file__).parents[2] / "testdata"


@pytest.fixture(scope="module")
def store():
    """An object store; None where there is no moto."""
    try:
        from store import Store
    except pytest.skip.Exception:
        yield None
        return
    made = Store()
    yield made
    made.stop()


@pytest.fixture(scope="module", autouse=True)
def cluster(store):
    env = {"env_vars": store.env} if store else {}
    ray.init(num_cpus=2, include_dashboard=False, object_store_memory=100 << 20, log_to_driver=False, runtime_env=env)
    yield
    ray.shutdown()


def test_worker_killed(tmp_path, monkeypatch):
    """A worker that is killed in the middle of a unit: one unit is done again."""
    names = captures(tmp_path / "captures", 4, 400_000)
    rows, summary = extracted(tmp_path, names)
    program = Program(tmp_path, _binary.path())
    monkeypatch.setenv("PCAPBATCH", str(program.path))
    program.reset(hold="map")
    with killed_while_held(program, b"ray::task"):
        table = pcapbatch.ray.extract(names[0].parent, tmp_path / "sessions", unit_bytes=33 << 20, partitions=4)
    monkeypatch.undo()
    same(rows, tmp_path / "sessions")
    assert table.count() == summary["sessions"]
    assert len(program.calls("map")) == 5 and len(program.calls("reduce")) == 4


def test_damage_and_missing(tmp_path):
    with pytest.warns(pcapbatch.CaptureWarning, match="record 4 at offset 231"):
        pcapbatch.ray.extract(TESTDATA / "damaged-record.pcap", tmp_path / "sessions")
    with pytest.raises(pcapbatch.InputError, match="none.pcap"):
        pcapbatch.ray.extract(tmp_path / "none.pcap", tmp_path / "none", retries=0)


def test_object_store(store, tmp_path, monkeypatch):
    """Captures and output in an object store."""
    if store is None:
        pytest.skip("moto could not be imported")
    store.put("in/ü %41 b.pcap", TESTDATA / "example.pcap")
    for name, value in store.env.items():
        monkeypatch.setenv(name, value)  # Ray looks at the output from here too
    table = pcapbatch.ray.extract("s3a://captures/in/", "s3://captures/sessions", features="all", partitions=2)
    rows, summary = extracted(tmp_path, [store.fetch("in/", tmp_path / "in")], "--features=all")
    assert table.count() == summary["sessions"]
    same(rows, store.fetch("sessions/", tmp_path / "sessions"))
    with pytest.raises(pcapbatch.InputError, match="s3://captures/none.pcap: there is no such object") as caught:
        pcapbatch.ray.extract("s3://captures/none.pcap", "s3://captures/none", retries=0)
    store.assert_no_credentials("".join(traceback.format_exception(caught.type, caught.value, caught.tb)))
