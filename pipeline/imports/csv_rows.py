"""The rows of a CSV file, by the columns of its header: many at once where they are simple, else one by one."""

from collections.abc import Sequence
from itertools import chain
from typing import Any

from pipeline.cells import TEXT, value_of
from pipeline.imports.column_names import nested
from pipeline.imports.columns import Into
from pipeline.imports.destination import Destination
from pipeline.imports.errors import BadRowError, UnreadableFileError, UnreadableRow
from pipeline.imports.lines import text_of
from pipeline.imports.options import JSON_CELLS, ImportOptions
from pipeline.imports.quick_rows import quick_rows
from pipeline.imports.rows import NO_OPTIONS, ImportRow, RowReader


class CsvRows:
    """Reads rows by the columns of a header. Raises UnreadableFileError if no file of profiles has such columns."""

    def __init__(
        self, columns: list[str], to: Destination, delimiter: str = ",", options: ImportOptions = NO_OPTIONS
    ) -> None:
        self._columns = columns
        self._width = len(columns)
        self._delimiter = delimiter
        self._reader = RowReader(to, options)
        _check_names(columns, self._reader)
        self._types = _types(columns, self._reader, to) if options.cells == JSON_CELLS else None
        self._quick = quick_rows(columns, self._reader, options, to) if self._types is None else None

    def row(self, row: list[str] | str | UnreadableRow) -> ImportRow:
        """Reads one row, given as cells or as a whole plain line. Raises BadRowError.

        Empty cells behind the last column are passed over: some programs end each line with a delimiter.
        """
        if isinstance(row, UnreadableRow):
            raise row.error()
        cells = row.split(self._delimiter) if isinstance(row, str) else row
        if len(cells) < self._width or any(cells[self._width :]):
            raise BadRowError(f"has {len(cells)} fields where the header has {self._width}")
        found = zip(self._columns, map(text_of, cells), strict=False)
        if self._types is None:
            return self._reader.of_object(dict(found))
        return self._reader.of_object({name: value_of(cell, self._types[name]) for name, cell in found})

    def events(self, rows: Sequence[Any]) -> bytes | None:
        """Returns all rows for a COPY of the inbox, or None if they have to be read one by one.

        `rows` are rows of one `RowBatch`: if the first is a plain line, all of them are.
        """
        if self._quick is None:
            return None
        if isinstance(rows[0], str):
            if {line.count(self._delimiter) for line in rows} != {self._width - 1}:
                return None
            return self._quick.fill(self._delimiter.join(rows).split(self._delimiter), self._width, is_plain=True)
        if not all(type(row) is list and len(row) == self._width for row in rows):
            return None
        return self._quick.fill(list(chain.from_iterable(rows)), self._width, is_plain=False)


def _types(columns: list[str], reader: RowReader, to: Destination) -> dict[str, str]:
    """Returns of each column the type by which its cells were written: texts are ids, times and dimensions."""
    typed = {path: type_ for path, _, type_ in to.typed}
    found = {name: reader.plan.column(name) for name in columns}
    return {
        name: typed.get(column.name, "mixed") if column.into is Into.DATA else TEXT for name, column in found.items()
    }


def _check_names(columns: list[str], reader: RowReader) -> None:
    """Raises UnreadableFileError unless the columns are names of attributes, and one of them can name the user."""
    targets = [*map(reader.plan.column, columns), *(column for column, _ in reader.plan.constants)]
    paths = [target.name for target in targets if target.into is Into.DATA]
    twice = next((path for path in paths if paths.count(path) > 1), None)
    if twice is not None:
        raise UnreadableFileError(f"column {twice}: collides with another column")
    try:
        nested(dict.fromkeys(paths, 0))
    except BadRowError as error:
        raise UnreadableFileError(f"column {error}") from None
    reader.plan.check(columns)
