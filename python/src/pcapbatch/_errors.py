"""What can go wrong, by the exit status of the program."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Damage:
    """Why a capture could not be read, or not to its end."""

    path: str
    kind: str  # "io" where it is missing or the system failed to read it
    record: int  # number of the record that could not be read, from 1; 0: the capture could not be opened
    offset: int  # of that record in the uncompressed capture, in bytes
    reason: str

    def __str__(self) -> str:
        if self.record == 0:
            return f"{self.path}: {self.reason}"
        return f"{self.path}: record {self.record} at offset {self.offset}: {self.reason}"


class PcapbatchError(Exception):
    """The program failed. Its message is the text."""

    status: int = 0


class UsageError(PcapbatchError, ValueError):
    """An argument is wrong, or two do not go together (exit status 2)."""

    status = 2


class OutputError(PcapbatchError, OSError):
    """A file could not be written, or memory or temporary disk ran out (exit status 3)."""

    status = 3


class InputError(PcapbatchError, OSError):
    """A capture is missing or failed to read, so that a second try may help (exit status 4).

    ``damage`` lists those captures, and ``table`` has the rows of the others,
    None if there are none.
    """

    status = 4

    def __init__(self, message: str, damage: list[Damage] | None = None, table: object = None) -> None:
        super().__init__(message)
        self.damage = damage or []
        self.table = table


class StateError(PcapbatchError):
    """What was kept before is damaged or does not fit (exit status 5)."""

    status = 5


class CaptureDamagedError(PcapbatchError):
    """A capture is damaged, and ``strict`` was asked for, or none could be read (exit status 1)."""

    status = 1

    def __init__(self, message: str, damage: list[Damage] | None = None) -> None:
        super().__init__(message)
        self.damage = damage or []


class CaptureWarning(UserWarning):
    """A capture is damaged or was left out. ``damage`` says where, None if not one of its records can be decoded."""

    def __init__(self, message: str, damage: Damage | None = None) -> None:
        super().__init__(message)
        self.damage = damage


def error(status: int, message: str) -> PcapbatchError:
    """The exception for an exit status."""
    for kind in (UsageError, OutputError, InputError, StateError, CaptureDamagedError):
        if kind.status == status:
            return kind(message)
    failure = PcapbatchError(message or f"the program ended with status {status}")
    failure.status = status
    return failure
