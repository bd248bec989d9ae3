"""What can be wrong with a file. Messages name places, never what stands there: it may be personal data."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """In a row's place: why it cannot be read."""

    message: str


class BadRowError(ValueError):
    """The row cannot be used; the message says why."""


class UnreadableFileError(ValueError):
    """The file cannot be read, or not further; what was stored stays."""


class ImportStoppedError(Exception):
    """The import was cancelled, or is in other hands."""
