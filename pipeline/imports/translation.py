"""A batch of a file's rows as rows for the inbox, or as what a dry run looks at."""

from collections.abc import Iterator, Sequence
from typing import Any

from pipeline.imports import copying
from pipeline.imports.csv_file import CsvFile
from pipeline.imports.csv_rows import CsvRows
from pipeline.imports.destination import Destination
from pipeline.imports.errors import BadRowError, RowErrors, UnreadableRow
from pipeline.imports.formats import RowFile
from pipeline.imports.options import ImportOptions
from pipeline.imports.reading import RowBatch
from pipeline.imports.rows import NO_OPTIONS, ImportRow, RowReader

CHUNK = 400  # rows that fit into a socket's buffer: the database reads them while the next ones are made
PARTS = 8


class BatchTranslation:
    """Translates the rows of one file. Raises UnreadableFileError if its columns cannot be used."""

    def __init__(self, file: RowFile, to: Destination, options: ImportOptions = NO_OPTIONS) -> None:
        self._received = copying.moment(to.at)
        self._reader = RowReader(to, options)
        self._csv = CsvRows(file.columns, to, file.delimiter, options) if isinstance(file, CsvFile) else None

    def events(self, batch: RowBatch, errors: RowErrors) -> Iterator[tuple[int, bytes]]:
        """Yields rows for a COPY of the inbox, a chunk at a time: their number and their bytes. Adds to `errors`."""
        for start in range(0, len(batch.rows), CHUNK):
            yield self._chunk(batch.rows[start : start + CHUNK], batch.first + start, errors)

    def _chunk(self, rows: Sequence[Any], first: int, errors: RowErrors) -> tuple[int, bytes]:
        """Writes all rows the fast way if possible; else in parts, down to single rows that are read with care."""
        if len(rows) > 1 and self._csv is not None:
            events = self._csv.events(rows)
            if events is not None:
                return len(rows), events
            size = max(1, len(rows) // PARTS)
            parts = [self._chunk(rows[at : at + size], first + at, errors) for at in range(0, len(rows), size)]
        else:
            parts = [self._event(row, number, errors) for number, row in enumerate(rows, first)]
        return sum(count for count, _ in parts), b"".join(events for _, events in parts)

    def _event(self, row: Any, number: int, errors: RowErrors) -> tuple[int, bytes]:
        try:
            found = self._row(row) if row else None
        except BadRowError as error:
            errors.append((number, str(error)))
            found = None
        if found is None:
            return 0, b""
        return 1, copying.event(found.bucket, found.query, found.body, self._received)

    def rows(self, batch: RowBatch, errors: RowErrors) -> Iterator[tuple[int, ImportRow]]:
        """Yields the good rows one by one, with their numbers, and adds the bad ones to `errors`."""
        for number, row in enumerate(batch.rows, batch.first):
            try:
                if row:
                    yield number, self._row(row)
            except BadRowError as error:
                errors.append((number, str(error)))

    def _row(self, row: Any) -> ImportRow:
        if self._csv is not None:
            return self._csv.row(row)
        if isinstance(row, UnreadableRow):
            raise row.error()
        return self._reader.of_line(row) if isinstance(row, bytes) else self._reader.of_object(row)
