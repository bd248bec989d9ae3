"""What can be wrong with a file of profiles, and the file that lists its bad rows.

Messages name places, never what stands there: it may be personal data.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

MOST_BYTES = 64 * 1024 * 1024  # further bad rows are counted, but not listed

RowErrors = list[tuple[int, str]]
"""Bad rows: the row's number, and what is wrong with it."""

LineOf = Callable[[int], int]
"""Returns the line of the file where a row begins."""


class BadRowError(ValueError):
    """The row cannot be used; the message says why."""


class UnreadableFileError(ValueError):
    """The file cannot be read, or not further. What was stored stays."""


class ImportStoppedError(Exception):
    """The import was cancelled, has ended, or another process works on it."""


class ImportStateError(ValueError):
    """The import is not in a state in which that can be done; the message says why."""


class UnfitOptionError(ValueError):
    """An option of an import cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class UnreadableRow:
    """Stands in the place of a row that the file's format does not let us read."""

    message: str

    def error(self) -> BadRowError:
        return BadRowError(self.message)


class ErrorFile:
    """The bad rows of one import: one JSON object `{"row", "line", "message"}` a line.

    Opening it cuts off whatever follows the first `valid` bytes: that was written after the last committed batch, and
    those rows will be read again.
    """

    def __init__(self, path: Path, valid: int) -> None:
        path.touch(mode=0o600)
        self._file = path.open("r+b")
        self._file.truncate(valid)
        self._file.seek(0, 2)

    def write(self, errors: RowErrors, line_of: LineOf) -> int:
        """Add bad rows. Returns the size of the file, whose content is then with the operating system."""
        for row, message in errors:
            if self._file.tell() < MOST_BYTES:
                told = {"row": row, "line": line_of(row), "message": message}
                self._file.write(json.dumps(told, ensure_ascii=False).encode() + b"\n")
        self._file.flush()
        return self._file.tell()

    def __enter__(self) -> "ErrorFile":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()
