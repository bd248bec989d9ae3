"""A batch of a file's rows, read by what they are: lines for the inbox, or what a dry run wants to know."""

from collections.abc import Callable, Iterator
from typing import Any

from pipeline.imports import copying
from pipeline.imports.csv_rows import CsvRows
from pipeline.imports.faults import BadRowError, Fault
from pipeline.imports.reading import Batch, CsvFile, NdjsonFile, ParquetFile
from pipeline.imports.rows import Destination, Row, RowReader

SOME = 400  # rows that fit into a socket: the database reads them while the next are made

Faults = list[tuple[int, str]]
"""What is wrong with which rows."""


class Translation:
    """For the rows of one file. UnreadableFileError where its columns cannot be used."""

    def __init__(self, file: CsvFile | NdjsonFile | ParquetFile, to: Destination) -> None:
        self._received = copying.moment(to.at)
        self._reader = RowReader(to)
        self._csv = CsvRows(file.columns, to, file.delimiter) if isinstance(file, CsvFile) else None

    def events(self, batch: Batch, faults: Faults) -> Iterator[list[bytes]]:
        """For a COPY of the inbox, some at a time; what is wrong goes to `faults`."""
        event_of = self._event_of(batch)
        for start in range(0, len(batch.rows), SOME):
            events: list[bytes] = []
            for number, row in enumerate(batch.rows[start : start + SOME], batch.first + start):
                try:
                    if row:
                        events.append(event_of(row))
                except BadRowError as error:
                    faults.append((number, str(error)))
            yield events

    def _event_of(self, batch: Batch) -> Callable[[Any], bytes]:
        if self._csv is None:
            return self._event
        return self._csv.event_of_line if batch.plain else self._csv.event

    def rows(self, batch: Batch, faults: Faults) -> Iterator[Row]:
        """One by one; what is wrong goes to `faults`."""
        row_of: Callable[[Any], Row] = self._row if self._csv is None else self._csv.row
        for number, row in enumerate(batch.rows, batch.first):
            try:
                if row:
                    yield row_of(row)
            except BadRowError as error:
                faults.append((number, str(error)))

    def _row(self, row: Any) -> Row:
        if isinstance(row, Fault):
            raise BadRowError(row.message)
        return self._reader.of_line(row) if isinstance(row, bytes) else self._reader.of_object(row)

    def _event(self, row: Any) -> bytes:
        found = self._row(row)
        return copying.event(found.bucket, found.query, found.body, self._received)
