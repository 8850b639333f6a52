"""The steps of a run on many machines, as the tasks of an engine run them.

A run is: ``plan`` makes units of work of the captures, ``map`` makes the run
files of one unit, ``reduce`` makes the table of one partition, and ``finish``
gives the data set its name. Engines place, order and retry these; nothing of an
engine is here. What the machines share is a file system or an object store.

Functions of this module are sent to the machines by value, so that the package
need not be installed there. So this module imports nothing of the package, and
only the standard library and, for URLs, fsspec.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import zlib
from dataclasses import dataclass, field
from typing import IO, Any, Callable, Iterator, Sequence

# What a unit has at most, in bytes of captures, where plan is not told. Tasks of
# this size take seconds, so that what an engine spends on each is little.
UNIT_BYTES = 512 << 20

# How many bytes of captures one partition has, where their number is not given,
# and how many partitions that makes at most.
PARTITION_BYTES = 256 << 20
MOST_PARTITIONS = 1024

# Statuses of the program with which another try ends in the same way: it was
# called wrongly, or a file does not fit. All others may be of this machine.
FINAL = (2, 5)

# How much is read from a URL at a time.
BLOCK = 8 << 20


@dataclass(frozen=True)
class Job:
    """What all tasks of a run know."""

    names: list[str]
    output: str
    work: str  # for run files
    keep: bool  # run files stay when the run has succeeded
    overwrite: bool
    format: str
    partitions: int  # 0: to be chosen
    plan_flags: list[str]
    map_flags: list[str]
    reduce_flags: list[str]
    recursive: bool = False
    unit_bytes: int = UNIT_BYTES
    summary: str | None = None
    report: str | None = None
    memory: str | None = None  # of a task; None: a share of what the machine has
    reserved: int = 0  # memory of the machine that is not for tasks, in bytes
    temp_dir: str | None = None
    storage_options: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def runs(self) -> str:
        return f"{self.work}/runs"

    @property
    def parts(self) -> str:
        return f"{self.work}/parts"

    @property
    def table(self) -> str:
        """Where reduce writes: in an object store, which cannot rename, the output itself."""
        return self.output if is_url(self.output) else f"{self.work}/table"


@dataclass(frozen=True)
class Slot:
    """What one task may use."""

    program: str
    cores: int = 1


class TaskError(Exception):
    """A task failed. What engines show of it holds text() of the failure."""


class FinalError(TaskError):
    """A task failed, and another try would too."""


def text(status: int, message: str) -> str:
    """A failure as text, which parse finds in the text of an engine's exception."""
    return f"[pcapbatch: status {status}] {message[:4000]} [end]"


def parse(text: str) -> tuple[int, str] | None:
    """The status and the message of a failure."""
    found = re.search(r"\[pcapbatch: status (-?\d+)\] (.*?) \[end\]", text, re.DOTALL)
    return (int(found[1]), found[2]) if found else None


def step(job: Job, slot: Slot, name: str, argument: Any) -> list[str]:
    """Runs a step and returns its lines of JSON. A failure that is final is a line too, so that no engine tries again."""
    steps: dict[str, Callable[[Job, Slot, Any], list[str]]] = {"plan": plan, "map": map_unit, "reduce": reduce, "finish": finish}
    try:
        return steps[name](job, slot, argument)
    except FinalError as failure:
        return [json.dumps({"failure": str(failure)})]


def plan(job: Job, slot: Slot, _: Any) -> list[str]:
    """Makes units of the captures."""
    if is_url(job.output):
        if not job.overwrite and _has_objects(job.output, job, slot):
            raise FinalError(text(2, f"{job.output} is there already"))
    else:
        if os.path.lexists(job.output) and not job.overwrite:
            raise FinalError(text(2, f"{job.output} is there already"))
        os.makedirs(job.work, exist_ok=True)
        for made in (job.table, job.parts):  # by an earlier try, of other captures perhaps
            shutil.rmtree(made, ignore_errors=True)
    units = list(_plan_urls(job, [n for n in job.names if is_url(n) and not n.startswith("s3://")]))
    names = [n for n in job.names if not is_url(n) or n.startswith("s3://")]
    if names:
        call = ["plan", "--quiet", *job.plan_flags, f"--unit-bytes={job.unit_bytes}", "--", *names]
        out = _run(slot, call, job.temp_dir, allowed=(0, 1))
        units += [json.loads(line) for line in out.splitlines() if line]
    return [json.dumps(u) for u in units]


# What the program says of a name that has no objects. Status 4 alone may mean as
# well that a store did not answer, and then an output may be there.
_NO_OBJECTS = "there are no objects whose keys begin with that"


def _has_objects(directory: str, job: Job, slot: Slot) -> bool:
    """Reports whether there are objects below a name. It fails where they cannot be listed."""
    try:
        _run(slot, ["plan", "--quiet", "--recursive", "--whole", "--", f"{directory}/"], job.temp_dir, allowed=(0, 1))
    except TaskError as failure:
        status, message = parse(str(failure)) or (0, "")
        if status == 4 and _NO_OBJECTS in message:
            return False
        raise
    return True


def _plan_urls(job: Job, urls: list[str]) -> Iterator[dict[str, Any]]:
    """Makes units of captures that fsspec reads."""
    unit: dict[str, Any] = {"bytes": 0, "urls": []}
    for url in urls:
        for entry in _find(job, url):
            size = entry["size"] or 0
            if unit["urls"] and unit["bytes"] + size > job.unit_bytes:
                yield unit
                unit = {"bytes": 0, "urls": []}
            unit["bytes"] += size
            unit["urls"].append(entry)
    if unit["urls"]:
        yield unit


def _find(job: Job, url: str) -> list[dict[str, Any]]:
    """The captures that a URL, a pattern or a prefix stands for."""
    from fsspec.core import url_to_fs

    try:
        fs, path = url_to_fs(url, **job.storage_options)
        found = _matches(fs, path, job.recursive)
    except FileNotFoundError:
        found = {}
    except Exception as failure:
        raise _failed(job, url, failure) from None
    files = [i for _, i in sorted(found.items()) if i["type"] == "file"]
    if not files:
        raise _failed(job, url, "there is no capture of this name")
    return [
        {"name": _shown(_url(fs, url, path, i["name"])), "from": url, "path": i["name"], "size": i.get("size"), "identity": _identity(i)}
        for i in files
    ]


def _matches(fs: Any, path: str, recursive: bool) -> dict[str, dict[str, Any]]:
    """What fsspec tells of each file that a path names. It is taken as a pattern only if nothing has that name."""
    try:
        info = fs.info(path)
    except Exception:
        if not any(c in path for c in "*?["):
            raise
        found: dict[str, dict[str, Any]] = fs.glob(path, detail=True)
        return found
    if info["type"] == "directory" or path.endswith("/") and fs.isdir(path):  # HTTP calls everything a file
        found = fs.find(path, maxdepth=None if recursive else 1, detail=True)
        return found
    return {path: info}


def _url(fs: Any, url: str, path: str, name: str) -> str:
    """The URL of the file that fsspec calls ``name``.

    ``url`` is a URL of the same store, and ``path`` what fsspec calls it. The
    host is taken from there, because fsspec removes it from the names of files.
    """
    scheme, _, rest = url.partition("://")
    path = path.rstrip("/")
    below = rest[rest.find("/") :].rstrip("/") if "/" in rest else ""
    head = path[: len(path) - len(below)]  # what fsspec puts before the path of the URL: a bucket, or nothing
    if "::" not in url and path.endswith(below) and name.startswith(head):
        return f"{scheme}://{rest.partition('/')[0]}{name[len(head) :]}"
    return str(fs.unstrip_protocol(name)) + "".join(url.partition("::")[1:])


# Names of parameters of URLs, and of options of fsspec, whose values are secret.
SECRET = r"\bsig\b|signature|secret|password|passwd|token|credential|\bkey\b|[_-]key\b|accesskey|connection_string"


def _shown(text: str) -> str:
    """The text without the passwords, signatures, tokens and keys of the URLs in it."""
    text = re.sub(r"(://[^/@:\s]*):[^/@\s]*@", r"\1@", text)
    return re.sub(rf"(?i)([?&][^=&#\s]*?(?:{SECRET})[^=&#\s]*=)[^&#\s'\"]*", r"\1...", text)


def _failed(job: Job, url: str, failure: Exception | str) -> TaskError:
    """The failure to read a URL, without the secrets that its text contains.

    Raise it "from None": a traceback would show the text of its cause as it is.
    """
    said = str(failure) or type(failure).__name__
    passwords = re.findall(r"://[^/@:\s]*:([^/@\s]+)@", " ".join(job.names))
    for secret in [*_secrets(job.storage_options), *passwords]:
        said = said.replace(secret, "...")
    return TaskError(text(4, _shown(f"{url}: {said}")))


def _secrets(options: Any, secret: bool = False) -> Iterator[str]:
    """The values of those options that are secret by their names: no message may contain them."""
    if isinstance(options, dict):
        for name, value in options.items():
            yield from _secrets(value, secret or re.search(SECRET, str(name), re.IGNORECASE) is not None)
    elif isinstance(options, (list, tuple)):
        for value in options:
            yield from _secrets(value, secret)
    elif secret and isinstance(options, str) and len(options) > 3:
        yield options


def _identity(info: dict[str, Any]) -> str | None:
    """What changes with the content of a file, or None: then its capture is read in every try."""
    for key in ("ETag", "etag", "md5Hash", "content_md5", "LastModified", "last_modified", "updated", "mtime"):
        if info.get(key):
            return f"{info.get('size')} {info[key]}"
    return None


def map_unit(job: Job, slot: Slot, unit: dict[str, Any]) -> list[str]:
    """Makes the run files of a unit, but for those that are current, and returns the outcomes."""
    call = ["map", "--quiet", f"--out={job.runs}", f"--partitions={job.partitions}", f"--workers={slot.cores}", *_resources(job, slot)]
    call += job.map_flags
    if job.report:
        call.append("--report-data")
    if "urls" in unit:
        return [line for entry in unit["urls"] for line in _map_url(job, slot, call, entry)]
    if "range" in unit:
        return _map(slot, [*call, f"--range={unit['range']}", "--", *unit["captures"]], job)
    names = "\0".join([*unit["captures"], ""])
    return _map(slot, [*call, "--files-from=-"], job, lambda pipe: _write(pipe, os.fsencode(names)))


def _map_url(job: Job, slot: Slot, call: list[str], entry: dict[str, Any]) -> list[str]:
    """Makes the run file of a capture that fsspec reads."""
    named = [f"--name={entry['name']}"]
    if entry["identity"]:
        named.append(f"--identity={entry['identity']}")
    return _map(slot, [*call, *named, "--", "-"], job, lambda pipe: _copy(job, entry, pipe))


def _map(slot: Slot, call: list[str], job: Job, feed: Callable[[IO[bytes]], Any] | None = None) -> list[str]:
    with tempfile.TemporaryDirectory(prefix="pcapbatch-", dir=job.temp_dir) as directory:
        outcomes = os.path.join(directory, "outcomes")  # a copy of this task has its own
        _run(slot, [call[0], f"--outcomes={outcomes}", *call[1:]], job.temp_dir, allowed=(0, 1), feed=feed)
        with open(outcomes, encoding="utf-8") as lines:
            return lines.read().splitlines()


def _copy(job: Job, entry: dict[str, Any], pipe: IO[bytes]) -> None:
    """Copies a capture to the program. What breaks off raises, so that it is not taken for the end of the capture."""
    from fsspec.core import url_to_fs

    copied = 0
    try:
        fs, _ = url_to_fs(entry["from"], **job.storage_options)
        before = _identity(_info(fs, entry["path"]))
        with fs.open(entry["path"], "rb", block_size=BLOCK) as source:
            while block := source.read(BLOCK):
                copied += len(block)
                if not _write(pipe, block):
                    return  # its run file is current, or its status says why
        after = _identity(_info(fs, entry["path"]))
    except Exception as failure:
        raise _failed(job, entry["name"], failure) from None
    if entry["size"] is not None and copied != entry["size"]:
        raise _failed(job, entry["name"], f"{copied} of {entry['size']} bytes were read")
    if before != after:
        raise _failed(job, entry["name"], "the capture changed while it was read")


def _info(fs: Any, path: str) -> dict[str, Any]:
    """What a store tells of a file now, not what fsspec remembers of it."""
    fs.invalidate_cache()
    info: dict[str, Any] = fs.info(path)
    return info


def _write(pipe: IO[bytes], data: bytes) -> bool:
    """Writes to the program and reports whether it still reads."""
    try:
        pipe.write(data)
        pipe.flush()
    except BrokenPipeError:
        return False
    return True


def reduce(job: Job, slot: Slot, argument: tuple[int, bytes]) -> list[str]:
    """Makes the table of one partition."""
    partition, expected = argument
    call = ["reduce", f"--partition={partition}", f"--format={job.format}", f"--out={job.table}", "--expect=-", *_resources(job, slot)]
    call += job.reduce_flags
    if job.summary or job.report:
        call.append(f"--report-out={job.parts}")
    if job.report:
        call.append("--report-data")
    _run(slot, [*call, "--", job.runs], job.temp_dir, allowed=(0,), feed=lambda pipe: _write(pipe, zlib.decompress(expected)))
    return []


def expected(outcomes: Sequence[dict[str, Any]]) -> bytes:
    """The captures that reduce must find run files of."""
    kept = [json.dumps({k: o[k] for k in ("name", "name_bytes", "range", "status") if k in o}) for o in outcomes]
    return zlib.compress("\n".join([*kept, ""]).encode())


def finish(job: Job, slot: Slot, _: Any) -> list[str]:
    """Joins the reports, gives the data set its name, and removes what was for this run only."""
    if job.summary or job.report:
        call = ["merge", "--parts", "--no-rows", "--quiet"]
        call += [f"--{name}={path}" for name, path in (("summary", job.summary), ("report", job.report)) if path]
        _run(slot, [*call, "--", job.parts], job.temp_dir, allowed=(0, 1))
    if is_url(job.output):
        return []
    if os.path.isdir(job.table):  # else an earlier try of this task came so far
        os.makedirs(os.path.dirname(job.output), exist_ok=True)
        if os.path.lexists(job.output):
            old = f"{job.work}/replaced"
            shutil.rmtree(old, ignore_errors=True)
            os.rename(job.output, old)
        os.rename(job.table, job.output)
    for made in [f"{job.work}/replaced", job.parts] + [job.work] * (not job.keep):
        shutil.rmtree(made, ignore_errors=True)
    return []


def is_url(name: str) -> bool:
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", name) is not None


def _resources(job: Job, slot: Slot) -> list[str]:
    """The flags that keep a task within its slot."""
    memory = job.memory or str(_share(job, slot.cores))
    flags = [f"--memory={memory}"]
    if job.temp_dir:
        flags.append(f"--temp-dir={job.temp_dir}")
    return flags


def _share(job: Job, cores: int) -> int:
    """The memory of one of the tasks that run on this machine side by side, in bytes."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            with open(limit) as file:
                total = min(total, int(file.read()))
        except (OSError, ValueError):  # not this version of control groups, or "max"
            pass
    slots = max(1, (os.cpu_count() or 1) // cores)
    return max(total - job.reserved, total // 4) * 3 // 4 // slots


def _run(
    slot: Slot,
    call: Sequence[str],
    temp_dir: str | None,
    allowed: Sequence[int],
    feed: Callable[[IO[bytes]], Any] | None = None,
) -> str:
    """Runs the program and returns its standard output. feed writes to its standard input."""
    with tempfile.TemporaryFile(dir=temp_dir) as out, tempfile.TemporaryFile(dir=temp_dir) as messages:
        try:
            process = subprocess.Popen(
                [slot.program, *call],
                stdin=subprocess.PIPE if feed else subprocess.DEVNULL,
                stdout=out,
                stderr=messages,
                env={**os.environ, "GOMAXPROCS": str(slot.cores)},
                preexec_fn=_end_with_parent() if sys.platform == "linux" else None,
            )
        except OSError as failure:
            raise TaskError(text(3, f"cannot start the program: {failure}")) from failure
        try:
            if feed and process.stdin:
                feed(process.stdin)
                _close(process.stdin)
            status = process.wait()
        except BaseException:
            process.kill()  # before its input ends: it must not take that for the end of a capture
            process.wait()
            if process.stdin:
                _close(process.stdin)
            raise
        out.seek(0)
        messages.seek(0)
        if status not in allowed:
            said = _message(messages.read().decode("utf-8", "replace")) or f"the program ended with status {status}"
            raise (FinalError if status in FINAL else TaskError)(text(status, said))
        return out.read().decode("utf-8", "surrogateescape")


def _close(pipe: IO[bytes]) -> None:
    try:
        pipe.close()
    except BrokenPipeError:
        pass


def _end_with_parent() -> Callable[[], None]:
    """Has the program end when the process of the task does: engines kill that when they cancel the task."""
    import ctypes

    prctl = ctypes.CDLL(None).prctl
    set_parent_death_signal = 1
    return lambda: prctl(set_parent_death_signal, signal.SIGTERM)


def _message(messages: str) -> str:
    """What the program said, without its name in front."""
    kept = (re.sub(r"^[\w.-]+: ", "", m) for m in messages.splitlines())
    return "\n".join(m for m in kept if m and not m.startswith("see '"))
