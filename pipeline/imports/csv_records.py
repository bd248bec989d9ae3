"""The records of a CSV file one by one: RFC 4180, and what to do where a file does not obey it.

A cell in quotes may hold delimiters and line ends. A quote that does not close would make one cell of the rest of the
file. So where a record that begins with an open quote turns out to be none, its first line is refused, and the next
line is read as a record of its own.

It is none if the file ends first, if it is longer than `LONGEST_RECORD`, if something else than a delimiter follows the
quote that closes, or if it has another number of cells than the header. One more sign: it goes over `MANY_LINES` lines
or more, and each of them alone has as many cells as the header.
"""

import csv
from collections.abc import Iterator

from pipeline.imports.errors import UnreadableRow
from pipeline.imports.lines import BLOCK, TOO_LONG, LineBlocks

LONGEST_CELL = 256 * 1024  # bytes
LONGEST_RECORD = 2 * LONGEST_CELL
MANY_LINES = 20
_CREDIT, _CREDIT_PER_LINE = 16 * 1024 * 1024, 2 * 1024

NO_RECORD = "is no sound CSV: a quote that does not close, or text behind one that does"


class CsvRecords:
    """Reads the records of `lines`. `width`: how many cells the header has; 0: the header itself is read.

    Reading lines again costs bytes of a credit that grows with the lines. Where it is used up, a broken record costs
    all its lines, so that no file takes more time than its size explains.
    """

    def __init__(self, lines: LineBlocks, delimiter: str) -> None:
        csv.field_size_limit(LONGEST_CELL)
        self._lines = lines
        self._delimiter = delimiter
        self._pulled: list[str] = []
        self._spent = 0
        self.width = 0

    def next_record(self) -> list[str] | UnreadableRow | None:
        """Returns the cells of the next record; None for an empty line."""
        line = self._lines.next_line()
        if line == TOO_LONG:
            return UnreadableRow(f"is longer than {BLOCK} bytes")
        if '"' not in line:
            text = line.removesuffix("\n").removesuffix("\r")
            return text.split(self._delimiter) if text else None
        self._pulled = []
        try:
            cells = next(csv.reader(self._lines_from(line), delimiter=self._delimiter, strict=True), [])
        except csv.Error:
            return self._refuse()
        if self._pulled and not self._is_sound(line, cells):
            return self._refuse()
        return cells

    def _lines_from(self, line: str) -> Iterator[str]:
        """Yields the lines of one record as the CSV reader asks for them."""
        yield line
        size = len(line)
        while size <= LONGEST_RECORD and (line := self._lines.next_line()):
            self._pulled.append(line)
            if line == TOO_LONG:
                return
            size += len(line)
            yield line

    def _is_sound(self, line: str, cells: list[str]) -> bool:
        """Whether a record of several lines is likely to be one."""
        if not self.width:
            return True
        if len(cells) < self.width or any(cells[self.width :]):
            return False
        lines = [line, *self._pulled]
        return len(lines) < MANY_LINES or any(self._cells_in(one) != self.width for one in lines)

    def _cells_in(self, line: str) -> int:
        return line.count(self._delimiter) + 1

    def _refuse(self) -> UnreadableRow:
        """Refuse the first line of the record, and let the others be read again if that is not too dear."""
        self._spent += sum(map(len, self._pulled))
        if self._spent > _CREDIT + _CREDIT_PER_LINE * self._lines.number:
            return UnreadableRow(f"{NO_RECORD}; the next {len(self._pulled)} lines are not read either")
        self._lines.put_back(self._pulled)
        return UnreadableRow(NO_RECORD)
