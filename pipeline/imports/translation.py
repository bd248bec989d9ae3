"""A batch of a file's rows, read by what they are: lines for the inbox, or what a dry run wants to know."""

from collections.abc import Iterator, Sequence
from typing import Any

from pipeline.imports import copying
from pipeline.imports.csv_rows import CsvRows
from pipeline.imports.reading import Batch, CsvFile, NdjsonFile, ParquetFile
from pipeline.imports.row_errors import BadRowError, Fault
from pipeline.imports.rows import Destination, Row, RowReader

SOME = 400  # rows that fit into a socket: the database reads them while the next are made
PARTS = 8

Faults = list[tuple[int, str]]
"""What is wrong with which rows."""


class Translation:
    """For the rows of one file. UnreadableFileError where its columns cannot be used."""

    def __init__(self, file: CsvFile | NdjsonFile | ParquetFile, to: Destination) -> None:
        self._received = copying.moment(to.at)
        self._reader = RowReader(to)
        self._csv = CsvRows(file.columns, to, file.delimiter) if isinstance(file, CsvFile) else None

    def events(self, batch: Batch, faults: Faults) -> Iterator[tuple[int, bytes]]:
        """For a COPY of the inbox, some at a time: how many events, and all of them; what is wrong goes to `faults`."""
        for start in range(0, len(batch.rows), SOME):
            yield self._some(batch.rows[start : start + SOME], batch.first + start, faults)

    def _some(self, rows: Sequence[Any], first: int, faults: Faults) -> tuple[int, bytes]:
        """Quickly, if that can be; else in parts, until nothing but the odd row is left to be read with care."""
        if len(rows) > 1 and self._csv is not None:
            events = self._csv.events(rows)
            if events is not None:
                return len(rows), events
            size = max(1, len(rows) // PARTS)
            parts = [self._some(rows[at : at + size], first + at, faults) for at in range(0, len(rows), size)]
        else:
            parts = [self._one(row, number, faults) for number, row in enumerate(rows, first)]
        return sum(count for count, _ in parts), b"".join(events for _, events in parts)

    def _one(self, row: Any, number: int, faults: Faults) -> tuple[int, bytes]:
        try:
            found = self._row(row) if row else None
        except BadRowError as error:
            faults.append((number, str(error)))
            found = None
        if found is None:
            return 0, b""
        return 1, copying.event(found.bucket, found.query, found.body, self._received)

    def rows(self, batch: Batch, faults: Faults) -> Iterator[Row]:
        """One by one; what is wrong goes to `faults`."""
        for number, row in enumerate(batch.rows, batch.first):
            try:
                if row:
                    yield self._row(row)
            except BadRowError as error:
                faults.append((number, str(error)))

    def _row(self, row: Any) -> Row:
        if self._csv is not None:
            return self._csv.row(row)
        if isinstance(row, Fault):
            raise BadRowError(row.message)
        return self._reader.of_line(row) if isinstance(row, bytes) else self._reader.of_object(row)
