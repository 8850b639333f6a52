"""The program that the wheel carries."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from ._errors import PcapbatchError


def path() -> str:
    """Returns the path of the program.

    The environment variable PCAPBATCH names another one. Without a program in
    the package, as in an editable installation, the one in PATH is taken.
    """
    if given := os.environ.get("PCAPBATCH"):
        return given
    name = "pcapbatch.exe" if os.name == "nt" else "pcapbatch"
    carried = Path(__file__).parent / "bin" / name
    if carried.is_file():
        return str(carried)
    # Not a "pcapbatch" in PATH: that is the command that calls this function.
    if found := shutil.which("batch"):
        return found
    raise PcapbatchError("this installation of pcapbatch has no program; set PCAPBATCH to its path")


def main() -> int:
    """The command pcapbatch: the program, with the arguments of this process."""
    program = path()
    if os.name == "nt":
        return subprocess.call([program, *sys.argv[1:]])
    os.execv(program, ["pcapbatch", *sys.argv[1:]])  # noqa: S606
    return 0


if __name__ == "__main__":
    sys.exit(main())
