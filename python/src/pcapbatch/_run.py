"""Runs the program."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from typing import Any, Callable, Sequence

from . import _binary
from ._errors import PcapbatchError, error

# How long a program that was interrupted may take to tidy up, in seconds.
GRACE = 10.0


def start(arguments: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
    """Starts the program; its standard error can be read."""
    try:
        return subprocess.Popen(
            [_binary.path(), *arguments], stdin=options.pop("stdin", subprocess.DEVNULL), stderr=subprocess.PIPE, **options
        )
    except OSError as failure:
        raise PcapbatchError(f"cannot start the program: {failure}") from failure


def wait(process: subprocess.Popen[bytes], line: Callable[[str], None] | None = None) -> tuple[int, str]:
    """Waits for the end of the program and returns its exit status and what it wrote to standard error.

    ``line`` gets each line as it comes. An exception, KeyboardInterrupt for one,
    interrupts the program, which then removes what it has half written.
    """
    lines: list[str] = []
    assert process.stderr is not None
    try:
        for raw in process.stderr:
            text = raw.decode("utf-8", "replace").rstrip("\r\n")
            if line is None or not text.startswith("{"):
                lines.append(text)
            else:
                line(text)
        return process.wait(), "\n".join(lines)
    except BaseException:
        interrupt(process)
        raise
    finally:
        process.stderr.close()


def interrupt(process: subprocess.Popen[bytes]) -> None:
    """Ends the program, with time to tidy up."""
    if process.poll() is not None:
        return
    if sys.platform == "win32":
        process.send_signal(signal.CTRL_C_EVENT)
    else:
        process.send_signal(signal.SIGINT)
    # The program waits for nobody who reads its standard error.
    drain = threading.Thread(target=process.stderr.read if process.stderr else (lambda: b""), daemon=True)
    drain.start()
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    drain.join(1)


def output(arguments: Sequence[str], allowed: Sequence[int] = (0,)) -> str:
    """Runs the program and returns its standard output."""
    process = start(arguments, stdout=subprocess.PIPE)
    chunks: list[bytes] = []
    assert process.stdout is not None
    reader = threading.Thread(target=lambda: chunks.append(process.stdout.read()), daemon=True)  # type: ignore[union-attr]
    reader.start()
    status, messages = wait(process)
    reader.join()
    process.stdout.close()
    if status not in allowed:
        raise error(status, message(messages))
    return b"".join(chunks).decode("utf-8", "surrogateescape")


def message(messages: str) -> str:
    """The message of an error: what the program said, without its name in front."""
    kept = [m.partition(": ")[2] if m.startswith(("batch: ", "pcapbatch: ")) else m for m in messages.splitlines()]
    return "\n".join(m for m in kept if m and not m.startswith("see '"))


def lines_of_json(text: str) -> list[dict[str, Any]]:
    """The objects of a text with one on each line."""
    return [json.loads(line) for line in text.splitlines() if line]


def is_notebook() -> bool:
    """Reports whether this is a Jupyter notebook or the like."""
    shell = sys.modules.get("IPython")
    return bool(shell) and type(shell.get_ipython()).__name__ == "ZMQInteractiveShell"  # type: ignore[union-attr]
