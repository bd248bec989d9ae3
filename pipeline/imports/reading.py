"""The rows of a file, a batch at a time, in memory that does not depend on the file. Here: NDJSON."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.imports.errors import UnreadableRow
from pipeline.imports.lines import BLOCK

BATCH = 20_000  # rows of a batch at the most; one block of a file may hold fewer
LONGEST = 256 * 1024  # bytes of a line of NDJSON


@dataclass(frozen=True, slots=True)
class RowBatch:
    """Rows of a file. `first` is the number of the first one; a file's first row is 1, the header of CSV is none.

    A row is a list of cells or a whole plain line (CSV, both as `octets`), a line of bytes (NDJSON), an object
    (tables), an `UnreadableRow`, or None for an empty line. `lines`: where each row begins in the file.

    A plain line holds no quotes, and nothing that JSON has to escape. Either all rows of a batch are plain lines, or
    none is.
    """

    first: int
    rows: list[Any]
    lines: Sequence[int]

    def line_of(self, number: int) -> int:
        """Returns the line of the file where a row of this batch begins."""
        return self.lines[number - self.first]

    def after(self, position: int) -> "RowBatch":
        """Returns the rows behind the first `position` ones of the file."""
        done = max(0, position + 1 - self.first)
        return RowBatch(self.first + done, self.rows[done:], self.lines[done:]) if done else self


class NdjsonFile:
    """A JSON object on each line. Empty lines are counted as rows, but skipped."""

    columns: list[str] = []  # each line has its own

    def __init__(self, file: io.BufferedReader) -> None:
        self._file = file

    def batches(self) -> Iterator[RowBatch]:
        first = 1
        while rows := self._batch():
            yield RowBatch(first, rows, range(first, first + len(rows)))
            first += len(rows)

    def _batch(self) -> list[Any]:
        rows: list[Any] = []
        room = BLOCK
        while len(rows) < BATCH and room > 0 and (line := self._file.readline(LONGEST)):
            room -= len(line)
            if len(line) == LONGEST and not line.endswith(b"\n"):
                rows.append(self._skip())
            else:
                rows.append(line if line.strip() else None)
        return rows

    def _skip(self) -> UnreadableRow:
        while (rest := self._file.readline(LONGEST)) and not rest.endswith(b"\n"):
            pass
        return UnreadableRow(f"is longer than {LONGEST} bytes")
