#!/usr/bin/env python3
"""recipes.py BATCH: runs the Python blocks of docs/recipes.md, each by itself,
in a directory with the files that they read."""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
CAPTURES = {
    "plain": ["example.pcap", "tcp-states.pcap", "session-ends.pcap", "icmp-error.pcap", "sctp.pcap", "ipv4-frag.pcap", "no-tunnels.pcap"],
    "wireless": ["80211.pcap", "80211-radiotap.pcap", "80211-ppi.pcap", "80211-amsdu.pcap"],
}


def main() -> int:
    batch = str(pathlib.Path(sys.argv[1]).resolve())
    blocks = re.findall(r"^```python\n(.*?)^```$", (ROOT / "docs" / "recipes.md").read_text(), re.S | re.M)
    if len(blocks) < 4:
        raise SystemExit(f"only {len(blocks)} blocks in docs/recipes.md")
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        for kind, files in CAPTURES.items():
            (directory / "captures" / kind).mkdir(parents=True)
            for file in files:
                shutil.copy(ROOT / "testdata" / file, directory / "captures" / kind)
        for output in ("sessions.parquet", "sessions.csv"):
            paths = sorted(str(p) for p in (directory / "captures").glob("*/*"))
            subprocess.run([batch, "extract", "-q", "--features", "all", "-o", output, *paths], cwd=directory, check=True)
        for i, block in enumerate(blocks, 1):
            print(f"-- block {i} of docs/recipes.md", flush=True)
            subprocess.run([sys.executable, "-c", block], cwd=directory, check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
