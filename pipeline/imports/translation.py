"""A batch of a file's rows, read by what they are: lines for the inbox, or what a dry run wants to know."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pipeline.imports.csv_rows import CsvRows
from pipeline.imports.faults import BadRowError, Fault
from pipeline.imports.reading import Batch
from pipeline.imports.rows import Destination, Row, RowReader


@dataclass(slots=True)
class Translated:
    """Of a batch: its lines by bucket, each bucket's in the file's order, and what is wrong with which rows."""

    lines: dict[int, list[str]] = field(default_factory=dict)
    faults: list[tuple[int, str]] = field(default_factory=list)
    stored: int = 0

    def payload(self) -> str:
        """For COPY, in the order of the buckets."""
        return "".join(["".join(self.lines[bucket]) for bucket in sorted(self.lines)])


class Translation:
    """For the rows of one file. UnreadableFileError where its columns cannot be used."""

    def __init__(self, columns: list[str] | None, to: Destination) -> None:
        self._received = to.received
        self._reader = RowReader(to)
        self._csv = None if columns is None else CsvRows(columns, to)

    def lines(self, batch: Batch) -> Translated:
        """For the inbox."""
        found = Translated()
        lines, line_of = found.lines, self._line if self._csv is None else self._csv.line
        for number, row in enumerate(batch.rows, batch.first):
            if row is None:
                continue
            try:
                bucket, line = line_of(row)
            except BadRowError as error:
                found.faults.append((number, str(error)))
                continue
            found.stored += 1
            if bucket in lines:
                lines[bucket].append(line)
            else:
                lines[bucket] = [line]
        return found

    def rows(self, batch: Batch, faults: list[tuple[int, str]]) -> Iterator[Row]:
        """One by one; what is wrong goes to `faults`."""
        row_of: Callable[[Any], Row] = self._row if self._csv is None else self._csv.row
        for number, row in enumerate(batch.rows, batch.first):
            try:
                if row is not None:
                    yield row_of(row)
            except BadRowError as error:
                faults.append((number, str(error)))

    def _row(self, row: Any) -> Row:
        if isinstance(row, Fault):
            raise BadRowError(row.message)
        return self._reader.of_line(row) if isinstance(row, bytes) else self._reader.of_object(row)

    def _line(self, row: Any) -> tuple[int, str]:
        found = self._row(row)
        return found.bucket, found.line(self._received)
