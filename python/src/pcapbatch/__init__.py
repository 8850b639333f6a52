"""Statistics per network session from packet captures.

>>> import pcapbatch
>>> sessions = pcapbatch.extract("captures/", features="all")  # a polars.DataFrame

The program behind it is in the package; ``pcapbatch`` is its command.
"""

from ._errors import (
    CaptureDamagedError,
    CaptureWarning,
    Damage,
    InputError,
    OutputError,
    PcapbatchError,
    StateError,
    UsageError,
)
from ._extract import Extraction, Field, extract, extract_to, fields, inspect
from ._version import __version__

__all__ = [
    "CaptureDamagedError",
    "CaptureWarning",
    "Damage",
    "Extraction",
    "Field",
    "InputError",
    "OutputError",
    "PcapbatchError",
    "StateError",
    "UsageError",
    "__version__",
    "extract",
    "extract_to",
    "fields",
    "inspect",
]
