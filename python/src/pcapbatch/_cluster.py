"""What a run on many machines has in common for all engines (Spark, Ray): see _steps."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import warnings
from typing import Any, Callable, Iterable, Mapping, Union

from . import _steps
from ._errors import CaptureDamagedError, CaptureWarning, Damage, InputError, PcapbatchError, UsageError, error
from ._extract import PathLike, _arguments, _names

# Runs steps as the tasks of an engine, each with an argument, and returns their lines.
Tasks = Callable[[_steps.Job, "list[tuple[str, Any]]"], "list[str]"]

# How many tasks an engine gets at a time. What each of them is to do is sent to
# all of them.
WAVE = 4096

# How many captures get a warning of their own.
MOST_WARNINGS = 20

_OF_MAP = {"direction", "key", "decapsulate", "tunnel_ports", "idle_timeout", "active_timeout", "tcp_end", "idle_threshold"}
_WHOLE = ("active_timeout", "tcp_end", "schema")  # which need all packets of a session in order
_OF_BOTH = {"features", "quantiles", "sequence", "schema"}
_OF_REDUCE = {"columns", "sample_std", "labels", "default_label"}


def prepare(
    paths: Union[PathLike, Iterable[PathLike]],
    output: PathLike,
    *,
    format: str = "parquet",
    partitions: int | None = None,
    unit_bytes: int | None = None,
    overwrite: bool = False,
    work: PathLike | None = None,
    summary: PathLike | None = None,
    report: PathLike | None = None,
    recursive: bool = False,
    memory: str | int | None = None,
    temp_dir: PathLike | None = None,
    storage_options: Mapping[str, Any] | None = None,
    reserved: int = 0,
    **options: Any,
) -> _steps.Job:
    """Makes a job of the arguments of extract."""
    if format not in ("parquet", "csv"):
        raise error(2, f"format={format!r}: there are parquet and csv")
    if unknown := options.keys() - _OF_MAP - _OF_BOTH - _OF_REDUCE:
        raise TypeError(f"extract has no argument {sorted(unknown)[0]!r}")
    if options.get("labels") is not None:
        options["labels"] = place(options["labels"])

    def flags(*names: set[str]) -> list[str]:
        return _arguments({k: v for k, v in options.items() if k in set().union(*names)})

    where = _written(output)
    return _steps.Job(
        names=[place(p) for p in _names(paths)],
        output=where,
        work=_written(work) if work is not None else f"{where}.pcapbatch",
        keep=work is not None,
        overwrite=overwrite,
        format=format,
        partitions=partitions or 0,
        plan_flags=["--recursive"] * recursive + ["--whole"] * any(options.get(rule) for rule in _WHOLE),
        map_flags=flags(_OF_MAP, _OF_BOTH),
        reduce_flags=flags(_OF_BOTH, _OF_REDUCE),
        recursive=recursive,
        unit_bytes=unit_bytes or _steps.UNIT_BYTES,
        summary=None if summary is None else _written(summary),
        report=None if report is None else _written(report),
        memory=None if memory is None else str(memory),
        reserved=reserved,
        temp_dir=None if temp_dir is None else os.fspath(temp_dir),
        storage_options=dict(storage_options or {}),
    )


def place(name: PathLike) -> str:
    """A name as every machine knows it: a URL, or an absolute path."""
    text = os.fspath(name)
    if _steps.is_url(text):
        return re.sub("^s3[an]://", "s3://", text)
    if found := re.match(r"([A-Za-z][A-Za-z0-9+.-]+):/", text):  # "C:/" is no URL
        raise UsageError(f"{text}: a URL begins with {found[1]}://; give it as a str, because pathlib removes one slash")
    return os.path.abspath(text)


def _written(name: PathLike) -> str:
    """The name of something that is written, without a slash at its end.

    Names of captures keep that slash: without it, they may name another object.
    """
    where = place(name).rstrip("/") or "/"
    if _steps.is_url(where) and not where.startswith("s3://"):
        raise UsageError(f"{where}: only captures can have such a URL; what is written goes to a path or to s3://")
    return where


def run(job: _steps.Job, tasks: Tasks) -> list[dict[str, Any]]:
    """Runs all steps and returns the outcomes of captures that are damaged or no captures."""

    def results(todo: list[tuple[str, Any]]) -> Iterable[dict[str, Any]]:
        for begin in range(0, len(todo), WAVE):
            for line in _told(job, tasks, todo[begin : begin + WAVE]):
                found = json.loads(line)
                if "failure" in found:
                    raise failed(found["failure"]) or PcapbatchError(found["failure"])
                yield found

    units = list(results([("plan", None)]))
    if not units:
        raise error(4, "there are no captures")
    if not job.partitions:
        job = dataclasses.replace(job, partitions=_partitions(sum(u["bytes"] for u in units)))
    outcomes = list(results([("map", u) for u in units]))
    if all(o["status"] == "not-a-capture" for o in outcomes):
        raise CaptureDamagedError("no capture could be read", [d for d in map(damage, outcomes) if d])
    expected = _steps.expected(outcomes)
    list(results([("reduce", (p, expected)) for p in range(job.partitions)]))
    list(results([("finish", None)]))
    return [o for o in outcomes if o.get("damage")]


def _told(job: _steps.Job, tasks: Tasks, todo: list[tuple[str, Any]]) -> list[str]:
    """Runs tasks; what ended them for good is an exception of the package."""
    try:
        return tasks(job, todo)
    except Exception as failure:
        known = failed(str(failure))
        if known is None:
            raise
        raise known from failure


def failed(text: str) -> PcapbatchError | None:
    """The exception for a failure in the text of an engine's exception, or None."""
    found = _steps.parse(text)
    return None if found is None else error(*found)


def _partitions(size: int) -> int:
    """The number of partitions for captures of so many bytes: a power of two, so that it seldom changes as captures come."""
    n = 1
    while n < _steps.MOST_PARTITIONS and n * _steps.PARTITION_BYTES < size:
        n *= 2
    return n


def damage(outcome: dict[str, Any]) -> Damage | None:
    """The damage that an outcome tells of."""
    found = outcome.get("damage")
    return found and Damage(**{k: found[k] for k in ("path", "kind", "record", "offset", "reason")})


def warn(found: list[Damage], stacklevel: int) -> None:
    """Warns of damage, up to a number of captures."""
    for d in found[:MOST_WARNINGS]:
        warnings.warn(CaptureWarning(str(d), d), stacklevel=stacklevel)
    if rest := len(found) - MOST_WARNINGS:
        if rest > 0:
            warnings.warn(CaptureWarning(f"{rest} more captures are damaged"), stacklevel=stacklevel)


__all__ = ["InputError", "damage", "place", "prepare", "run", "warn"]
