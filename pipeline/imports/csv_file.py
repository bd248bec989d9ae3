"""A CSV file as batches of rows."""

import io
from collections.abc import Iterator, Sequence
from typing import Any

from pipeline.imports import reading
from pipeline.imports.csv_header import header_of
from pipeline.imports.csv_records import CsvRecords
from pipeline.imports.lines import LineBlocks
from pipeline.imports.reading import RowBatch


class CsvFile:
    """CSV in UTF-8 with a header. `delimiter`: empty where it is to be found out. A row that is not UTF-8 is a bad row.

    Raises UnreadableFileError if there is no header.
    """

    def __init__(self, file: io.BufferedReader, delimiter: str = "") -> None:
        self._lines = LineBlocks(file)
        self.delimiter, self.columns = header_of(self._lines, delimiter)
        self._records = CsvRecords(self._lines, self.delimiter)
        self._records.width = len(self.columns)

    def batches(self) -> Iterator[RowBatch]:
        first = 1
        while self._lines.more():
            begin = self._lines.number + 1
            numbers: Sequence[int]
            if self._lines.plain and self.delimiter != "\t":
                rows: list[Any] = self._lines.take(reading.BATCH)
                numbers = range(begin, begin + len(rows))
            else:
                rows, numbers = self._careful_rows()
            yield RowBatch(first, rows, numbers)
            first += len(rows)

    def _careful_rows(self) -> tuple[list[Any], list[int]]:
        """Returns the rows of the rest of the block, and their lines, read record by record.

        The last one may go on in the next block: a cell in quotes can hold line ends.
        """
        rows: list[Any] = []
        numbers: list[int] = []
        while len(rows) < reading.BATCH and self._lines.is_left():
            numbers.append(self._lines.number + 1)
            rows.append(self._records.next_record())
        return rows, numbers
