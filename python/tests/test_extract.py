"""The package as its users have it: installed, with its program."""

import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from datetime import timedelta
from pathlib import Path

import pytest

import pcapbatch

TESTDATA = Path(__file__).parents[2] / "testdata"
EXAMPLE = TESTDATA / "example.pcap"
DAMAGED = TESTDATA / "damaged-record.pcap"


def test_polars():
    polars = pytest.importorskip("polars")
    table = pcapbatch.extract(EXAMPLE)
    assert isinstance(table, polars.DataFrame)
    assert table.height == 6
    assert table["total_packets"].sum() == 54
    assert table.schema["src_port"] == polars.UInt16
    assert table.schema["first_seen_ns"] == polars.Int64


def test_pandas():
    pytest.importorskip("pandas")
    table = pcapbatch.extract([EXAMPLE], to="pandas", features="totals,mean")
    assert len(table) == 6
    assert str(table.dtypes["total_bytes"]).startswith("int64")
    assert table["iat_mean_s"].isna().sum() == (table["first_seen_ns"] == table["last_seen_ns"]).sum()


def test_arrow():
    pytest.importorskip("pyarrow")
    table = pcapbatch.extract(str(EXAMPLE), to="arrow", features=["all"], quantiles=[5, 99.9], sequence=2)
    assert table.num_rows == 6
    names = table.column_names
    assert "iat_p99.9_s" in names and "seq_2_iat_s" in names and "tcp_state" in names
    assert str(table.schema.field("first_seen").type) == "timestamp[us, tz=UTC]"


def test_options():
    pytest.importorskip("pyarrow")
    both = pcapbatch.extract(EXAMPLE, to="arrow", direction="unidirectional", idle_timeout=timedelta(seconds=60), workers=1, memory="512M")
    assert both.num_rows > 6
    few = pcapbatch.extract(EXAMPLE, to="arrow", columns=["dst_port", "duration_s"], idle_threshold=2.5, tcp_end=True, key="capture")
    assert few.column_names == ["dst_port", "duration_s"]


def test_to_file(tmp_path):
    found = pcapbatch.extract_to(tmp_path / "rows.csv", [EXAMPLE, DAMAGED])
    assert len(found.output.read_text().splitlines()) > 6
    assert found.summary["packets"] == 57
    assert [d.record for d in found.damage] == [4]


def test_damage_warns():
    pytest.importorskip("polars")
    with pytest.warns(pcapbatch.CaptureWarning, match="record 4 at offset 231") as caught:
        table = pcapbatch.extract(DAMAGED)
    assert table.height == 2
    assert caught[0].message.damage.offset == 231
    with pytest.raises(pcapbatch.CaptureDamagedError, match="record 4"):
        pcapbatch.extract(DAMAGED, strict=True)


def test_missing():
    pytest.importorskip("polars")
    with pytest.raises(pcapbatch.InputError, match="none.pcap") as failed:
        pcapbatch.extract([EXAMPLE, "none.pcap"])
    assert failed.value.table.height == 6
    assert failed.value.damage[0].path == "none.pcap"
    with pytest.raises(pcapbatch.InputError) as failed:
        pcapbatch.extract("none.pcap")
    assert failed.value.table is None


def test_usage():
    for options in ({"features": "nonsense"}, {"quantiles": [0]}, {"idle_timeout": "soon"}, {"schema": "nfstream", "features": "all"}):
        with pytest.raises(pcapbatch.UsageError):
            pcapbatch.extract(EXAMPLE, **options)
    with pytest.raises(ValueError):
        pcapbatch.extract([])
    with pytest.raises(TypeError):
        pcapbatch.extract_to("x.csv", EXAMPLE, nonsense=1)


def test_no_capture():
    with pytest.raises(pcapbatch.CaptureDamagedError), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pcapbatch.extract(__file__)


def test_fields():
    columns = pcapbatch.fields()
    assert columns[0].name == "src_ip" and columns[0].type == "text"
    assert "Flow Duration" in {c.name for c in pcapbatch.fields(schema="cicflowmeter")}


def test_inspect():
    first, second = pcapbatch.inspect([EXAMPLE, DAMAGED])
    assert first["records"] == 56 and first["damage"] is None
    assert second["damage"]["record"] == 4


def test_progress(monkeypatch):
    pytest.importorskip("tqdm")
    pytest.importorskip("polars")
    assert pcapbatch.extract(EXAMPLE, progress=True).height == 6


def test_command():
    done = subprocess.run([sys.executable, "-m", "pcapbatch", "version"], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout
    done = subprocess.run([sys.executable, "-m", "pcapbatch", "extract"], capture_output=True, text=True)
    assert done.returncode == 2


@pytest.mark.skipif(os.name == "nt", reason="a FIFO is needed")
def test_interrupt(tmp_path):
    fifo, output = tmp_path / "fifo", tmp_path / "rows.csv"
    os.mkfifo(fifo)

    def interrupt():
        time.sleep(1)
        os.kill(os.getpid(), signal.SIGINT)

    # Where tests run in the background of a shell, SIGINT is ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=interrupt).start()
    begun = time.monotonic()
    try:
        with pytest.raises(KeyboardInterrupt):
            pcapbatch.extract_to(output, fifo)
    finally:
        signal.signal(signal.SIGINT, before)
    assert time.monotonic() - begun < 8
    assert sorted(p.name for p in tmp_path.iterdir()) == ["fifo"]
