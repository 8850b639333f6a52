"""Captures to data frames."""

from __future__ import annotations

import dataclasses
import json
import os
import tempfile
import warnings
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Iterable, Literal, Mapping, Union

from . import _run
from ._errors import CaptureDamagedError, CaptureWarning, Damage, InputError, error

PathLike = Union[str, "os.PathLike[str]"]
Duration = Union[str, int, float, timedelta]
To = Literal["polars", "pandas", "arrow"]


@dataclass(frozen=True)
class Field:
    """A column of the data dictionary."""

    name: str
    group: str
    type: str  # "text", "integer" or "decimal"
    unit: str
    definition: str
    exactness: str  # how far a value can be from the true one
    parquet: str  # its type in Parquet, and so in a data frame


def fields(*, schema: str | None = None) -> list[Field]:
    """Returns every column that extract can give, in order, or those of a schema.

    Column names with Q stand for one of ``quantiles``, those with i for a
    packet of ``sequence``.
    """
    arguments = ["fields", "--json"]
    if schema is not None:
        arguments += ["--schema", schema]
    return [Field(**{f.name: entry[f.name] for f in dataclasses.fields(Field)}) for entry in json.loads(_run.output(arguments))]


def inspect(paths: PathLike | Iterable[PathLike], *, recursive: bool = False) -> list[dict[str, Any]]:
    """Says what is in captures, without sessions: a dictionary for each.

    The key ``damage`` is None where a capture was read to its end.
    """
    arguments = ["inspect", "--json"]
    if recursive:
        arguments.append("--recursive")
    return _run.lines_of_json(_run.output([*arguments, "--", *_names(paths)], allowed=(0, 1, 4)))


@dataclass
class Extraction:
    """What one run gave: the file of rows, and the report of the run."""

    output: Path
    summary: dict[str, Any]

    @property
    def damage(self) -> list[Damage]:
        """The captures that could not be read, or not to their ends."""
        return [Damage(**{k: d[k] for k in ("path", "kind", "record", "offset", "reason")}) for d in self.summary["damage"]]


def extract(
    paths: PathLike | Iterable[PathLike],
    *,
    to: To = "polars",
    features: str | Iterable[str] | None = None,
    quantiles: Iterable[float | int | str] | None = None,
    sequence: int | None = None,
    columns: Iterable[str] | None = None,
    schema: str | None = None,
    sample_std: bool = False,
    direction: Literal["bidirectional", "unidirectional"] | None = None,
    key: str | Iterable[str] | None = None,
    decapsulate: bool = False,
    tunnel_ports: Mapping[str, int] | None = None,
    idle_timeout: Duration | None = None,
    active_timeout: Duration | None = None,
    tcp_end: bool | None = None,
    idle_threshold: Duration | None = None,
    labels: PathLike | None = None,
    default_label: str | None = None,
    recursive: bool = False,
    interleave: bool = False,
    strict: bool = False,
    state: PathLike | None = None,
    workers: int | None = None,
    memory: str | int | None = None,
    temp_dir: PathLike | None = None,
    progress: bool | None = None,
) -> Any:
    """Reads captures and returns a table with a row for each network session.

    ``paths`` are files, directories and glob patterns, one or several. ``to``
    chooses a polars.DataFrame, a pandas.DataFrame (with the dtypes of Arrow, so
    that integers stay integers where values are missing) or a pyarrow.Table;
    only that library is needed. Statistics that are undefined are null.

    The other arguments are the flags of ``pcapbatch extract``; durations are
    seconds, timedeltas, or texts such as "5m". ``progress`` shows a bar with
    tqdm: None shows one in a notebook, if tqdm is there.

    Damage in captures is a CaptureWarning each, and every record before the
    damage counts; with ``strict`` it raises CaptureDamagedError. A capture that
    is missing raises InputError, whose ``table`` has the rows of the others.
    """
    arguments = _arguments({k: v for k, v in locals().items() if k not in ("paths", "to", "progress")})
    with tempfile.TemporaryDirectory(prefix="pcapbatch-", dir=temp_dir) as directory:
        found = _extract(paths, arguments, Path(directory) / "sessions.parquet", progress)
        table = _load(found.output, to) if found.output.exists() else None
    missing = [d for d in found.damage if d.kind == "io"]
    for d in found.damage:
        if d.kind != "io":
            warnings.warn(CaptureWarning(str(d), d), stacklevel=2)
    for c in found.summary["captures"]:
        if c.get("left_out"):
            warnings.warn(CaptureWarning(f"{c['path']}: left out: not one of its records can be decoded"), stacklevel=2)
    if missing:
        raise InputError("\n".join(map(str, missing)), missing, table)
    if table is None:
        raise CaptureDamagedError("no capture could be read", found.damage)
    return table


def extract_to(
    output: PathLike,
    paths: PathLike | Iterable[PathLike],
    *,
    progress: bool | None = None,
    **options: Any,
) -> Extraction:
    """Is extract into a file, for tables that memory does not hold.

    The ending of ``output`` chooses the format: .parquet, .csv, .csv.gz or
    .csv.zst. ``options`` are those of extract, but for ``to``. Damage is in the
    result and raises no warning; so are captures that are missing.
    """
    return _extract(paths, _arguments(options), Path(output), progress)


def _extract(paths: PathLike | Iterable[PathLike], arguments: list[str], output: Path, progress: bool | None) -> Extraction:
    with tempfile.TemporaryDirectory(prefix="pcapbatch-") as directory:
        summary = Path(directory) / "summary.json"
        line, close = _bar(progress)
        call = ["extract", "--quiet", "--output", str(output), "--summary", str(summary), *arguments]
        if line is not None:
            call += ["--progress", "json"]
        try:
            status, messages = _run.wait(_run.start([*call, "--", *_names(paths)]), line)
        finally:
            close()
        if status not in (0, 1, 4) or not summary.exists():
            raise error(status, _run.message(messages))
        return Extraction(output, json.loads(summary.read_text("utf-8")))


def _names(paths: PathLike | Iterable[PathLike]) -> list[str]:
    if isinstance(paths, (str, os.PathLike)):
        paths = [paths]
    names = [os.fspath(p) for p in paths]
    if not names:
        raise error(2, "no captures named")
    return names


def _arguments(options: Mapping[str, Any]) -> list[str]:
    """The flags for options of extract."""
    arguments: list[str] = []
    for name, value in options.items():
        if value is None or value is False and name != "tcp_end":
            continue
        flag = "--" + _FLAGS.get(name, name.replace("_", "-"))
        if name not in _KNOWN:
            raise TypeError(f"extract has no argument {name!r}")
        if isinstance(value, bool):
            arguments.append(f"{flag}={str(value).lower()}")
        elif name in _DURATIONS:
            arguments.append(f"{flag}={_duration(value)}")
        elif isinstance(value, Mapping):
            arguments.append(f"{flag}={','.join(f'{k}={v}' for k, v in value.items())}")
        elif name in _LISTS and not isinstance(value, str):
            arguments.append(f"{flag}={','.join(map(str, value))}")
        else:
            arguments.append(f"{flag}={os.fspath(value) if isinstance(value, os.PathLike) else value}")
    return arguments


_FLAGS = {"tunnel_ports": "tunnel-port"}
_DURATIONS = {"idle_timeout", "active_timeout", "idle_threshold"}
_LISTS = {"features", "quantiles", "columns", "key"}
_KNOWN = {
    "features", "quantiles", "sequence", "columns", "schema", "sample_std", "direction", "key", "decapsulate", "tunnel_ports",
    "idle_timeout", "active_timeout", "tcp_end", "idle_threshold", "labels", "default_label", "recursive", "interleave", "strict",
    "state", "workers", "memory", "temp_dir",
}  # fmt: skip


def _duration(value: Duration) -> str:
    if isinstance(value, timedelta):
        return f"{value // timedelta(microseconds=1)}us"
    if isinstance(value, str):
        return value
    return f"{round(value * 1e9)}ns"


def _load(path: Path, to: str) -> Any:
    """Reads a Parquet file into memory."""
    if to == "polars":
        import polars

        return polars.read_parquet(path, memory_map=False)
    if to == "pandas":
        import pandas

        return pandas.read_parquet(path, dtype_backend="pyarrow")
    if to == "arrow":
        import pyarrow.parquet

        return pyarrow.parquet.read_table(path, memory_map=False)
    raise error(2, f"to={to!r}: there are polars, pandas and arrow")


def _bar(progress: bool | None) -> tuple[Any, Any]:
    """Something that takes lines of progress, or None, and something that ends it."""

    def nothing() -> None:
        pass

    if progress is False or progress is None and not _run.is_notebook():
        return None, nothing
    try:
        from tqdm.auto import tqdm
    except ImportError:
        if progress:
            raise
        return None, nothing
    bar = tqdm(unit="B", unit_scale=True)

    def line(text: str) -> None:
        at = json.loads(text)
        bar.total = at.get("total")
        bar.update(at["bytes"] - bar.n)

    return line, bar.close
