"""Captures to a data set with Ray.

>>> import pcapbatch.ray
>>> sessions = pcapbatch.ray.extract("/mnt/captures", "/mnt/sessions", features="all")  # a ray.data.Dataset
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Any, Iterable, Union

from . import _binary, _cluster, _steps
from ._extract import PathLike


def extract(paths: Union[PathLike, Iterable[PathLike]], output: PathLike, *, cores: int = 1, retries: int = 3, **options: Any) -> Any:
    """Reads captures with the tasks of a Ray cluster and returns a ray.data.Dataset with a row for each network session.

    ``output`` and ``options`` are those of ``pcapbatch.spark.extract``, but for
    ``program`` and ``read_from``: the program of this package is sent to the
    nodes. A task has so many ``cores``, and is tried again so often.
    """
    import ray
    from ray import cloudpickle

    cloudpickle.register_pickle_by_value(_steps)
    job = _cluster.prepare(paths, output, **options)
    content = Path(_binary.path()).read_bytes()
    name, program = hashlib.sha256(content).hexdigest()[:16], ray.put(content)
    step, slot = _steps.step, _steps.Slot

    def placed(content: bytes) -> str:
        """The program as a file of this node, which appears whole."""
        path = os.path.join(tempfile.gettempdir(), f"pcapbatch-{os.getuid()}-{name}")
        if not os.path.exists(path) or os.lstat(path).st_uid != os.getuid():
            file, new = tempfile.mkstemp(dir=tempfile.gettempdir())
            with os.fdopen(file, "wb") as out:
                out.write(content)
            os.chmod(new, 0o700)
            os.rename(new, path)
        return path

    @ray.remote(num_cpus=cores, max_retries=retries, retry_exceptions=True)
    def task(content: bytes, job: _steps.Job, name: str, argument: Any) -> list[str]:
        return step(job, slot(placed(content), cores), name, argument)

    def tasks(job: _steps.Job, todo: list[tuple[str, Any]]) -> list[str]:
        return [line for lines in ray.get([task.remote(program, job, *t) for t in todo]) for line in lines]

    outcomes = _cluster.run(job, tasks)
    _cluster.warn([d for d in map(_cluster.damage, outcomes) if d], stacklevel=3)
    return ray.data.read_parquet(job.output) if job.format == "parquet" else ray.data.read_csv(job.output)
