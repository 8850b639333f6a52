"""What the tests of runs on many machines have in common: captures, and a program that can be held in the middle."""

import contextlib
import json
import os
import signal
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy

# Of one packet of captures(): record header, Ethernet, IPv4 and UDP header, and
# a payload of 22 bytes.
RECORD = numpy.dtype(
    [("s", "<u4"), ("us", "<u4"), ("caplen", "<u4"), ("len", "<u4"), ("eth", "V14"), ("ip", "V12"), ("src", ">u4"), ("dst", ">u4"),
     ("sport", ">u2"), ("dport", ">u2"), ("udplen", ">u2"), ("sum", ">u2"), ("payload", "V22")]
)  # fmt: skip


def captures(directory, count, packets, sessions=None):
    """Makes captures of so many packets, one after the other in time, with sessions that go on from one to the next."""
    directory.mkdir()
    rng = numpy.random.default_rng(1)
    names = []
    for i in range(count):
        rows = numpy.zeros(packets, RECORD)
        rows["s"] = 1_700_000_000 + 1000 * i + numpy.arange(packets) * 900 // packets
        rows["us"] = numpy.arange(packets) % 1_000_000
        rows["caplen"] = rows["len"] = 64
        rows["eth"] = bytes(12) + b"\x08\x00"
        rows["ip"] = struct.pack(">BBHHHBBH", 0x45, 0, 50, 0, 0, 64, 17, 0)
        rows["src"] = 0x0A000000 + rng.integers(0, sessions or packets // 4, packets)
        rows["dst"], rows["sport"], rows["dport"], rows["udplen"] = 0xC0000201, 40000, 53, 30
        names.append(directory / f"{i:04}.pcap")
        names[-1].write_bytes(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1) + rows.tobytes())
    return names


class Program:
    """The program, which notes how it is called. The first call of a step can be held in the middle of its work."""

    def __init__(self, directory, batch):
        self.path, self.log, self.held = directory / "program", directory / "calls", directory / "held"
        self.hold = directory / "hold"  # the step to hold
        self.after = directory / "after"  # followed by -STEP-STATUS: commands for when a step has ended with a status
        self.path.write_text(f"""#!/bin/sh
echo "$*" >>{self.log}
if [ "$1" = "$(cat {self.hold} 2>/dev/null)" ] && mkdir {self.held} 2>/dev/null; then
	exec 3<&0
	{batch} "$@" <&3 &
	read=0
	while [ "$read" -lt 1000000 ] && kill -0 $! 2>/dev/null; do
		while read -r key value; do
			[ "$key" != rchar: ] || read=$value
		done </proc/$!/io
	done
	kill -STOP $!
	echo $! >{self.held}/new && mv {self.held}/new {self.held}/process
	wait $!
	exit
fi
{batch} "$@"
status=$?
if [ -e "{self.after}-$1-$status" ]; then
	. "{self.after}-$1-$status"
fi
exit $status
""")
        self.path.chmod(0o755)

    def then(self, step, status, commands):
        Path(f"{self.after}-{step}-{status}").write_text(f"{commands}\n")

    def calls(self, step):
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [line for line in lines if line.split()[0] == step]

    def reset(self, hold=""):
        self.log.unlink(missing_ok=True)
        if self.held.exists():
            for file in self.held.iterdir():
                file.unlink()
            self.held.rmdir()
        self.hold.write_text(hold)

    def wait_until_held(self, seconds=120):
        """Waits for a call that is held, which must be in the middle of its work, and returns its process."""
        end = time.monotonic() + seconds
        while not (self.held / "process").exists():
            assert time.monotonic() < end, "no call was held"
            time.sleep(0.02)
        process = int((self.held / "process").read_text())
        while _stat(process)[0] not in "TZ" and time.monotonic() < end:
            time.sleep(0.02)
        assert _stat(process)[0] == "T", "the call ended before it could be held"
        return process


    def release(self):
        """Ends the call that is held, if there is one."""
        if (self.held / "process").exists():
            end(int((self.held / "process").read_text()))


def _stat(process):
    """The fields of /proc/PID/stat behind the name: state, parent and so on."""
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()


def ancestor(process, name):
    """The nearest ancestor of a process whose command has this name in it."""
    while process > 1:
        process = int(_stat(process)[1])
        if name in Path(f"/proc/{process}/cmdline").read_bytes():
            return process
    raise AssertionError(f"no {name!r} above the process")


def end(process):
    """Ends a process that may be stopped, or gone."""
    for sig in (signal.SIGKILL, signal.SIGCONT):
        try:
            os.kill(process, sig)
        except ProcessLookupError:
            pass


@contextlib.contextmanager
def killed_while_held(program, name):
    """Kills the nearest ancestor of this name of the call that is held, while the work inside waits for it."""
    failures = []

    def kill():
        try:
            os.kill(ancestor(program.wait_until_held(), name), signal.SIGKILL)
        except BaseException as failure:
            failures.append(failure)
            program.release()

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        yield
    finally:
        killer.join()
        program.release()
    assert not failures


def cpu_seconds(processes):
    """CPU time of the processes, of all below them, and of those that these have waited for."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = _stat(int(entry.name))
            except OSError:
                continue
            parents.setdefault(int(fields[1]), []).append((int(entry.name), sum(map(int, fields[11:15]))))
    todo, ticks = list(processes), 0
    own = {p: t for children in parents.values() for p, t in children}
    while todo:
        process = todo.pop()
        ticks += own.get(process, 0)
        todo += [p for p, _ in parents.get(process, [])]
    return ticks / os.sysconf("SC_CLK_TCK")


def batch(*arguments, allowed=(0,)):
    """Runs the program of the package."""
    from pcapbatch import _binary

    done = subprocess.run([_binary.path(), *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode in allowed, (arguments, done.returncode, done.stderr)
    return done.stdout


def extracted(directory, names, *flags):
    """What batch extract makes of captures: the rows, and the summary."""
    rows, summary = directory / "expected.parquet", directory / "expected.json"
    if not rows.exists():
        batch("extract", "-q", "-o", rows, "--summary", summary, *flags, *names, allowed=(0, 1))
    return rows, json.loads(summary.read_text())


def same(a, b):
    """Asserts that two tables are the same."""
    print(batch("compare", a, b), end="", file=sys.stderr)
