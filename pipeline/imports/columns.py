"""Where the values of a file's columns go, by the mapping of the import, else by their names."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from pipeline.imports.column_names import USER_COLUMNS
from pipeline.imports.destination import Destination
from pipeline.imports.errors import BadRowError, UnreadableFileError
from pipeline.imports.mapping import ALL_OTHERS, ATTRIBUTE, DIMENSION, LAST_SEEN, MOST_COLUMNS, USER
from pipeline.imports.options import JSON_CELLS, ImportOptions
from profiles.events.ids import DEVICES
from profiles.paths import join_path, split_path

_NAMES_THE_USER = frozenset({"uuid", "euid", *DEVICES})


class Into(Enum):
    """What a value becomes a part of."""

    NAMES = auto()  # the row's ids and its time
    DATA = auto()
    DIMENSIONS = auto()
    LAST_SEEN = auto()
    NOWHERE = auto()


@dataclass(frozen=True, slots=True)
class Column:
    """`name`: which id, attribute (a path) or dimension it is."""

    into: Into
    name: str = ""


@dataclass(slots=True)
class SortedRow:
    """The values of a row by where they go; those of attributes by path."""

    names: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    dimensions: dict[str, Any] = field(default_factory=dict)
    last_seen: Any = None


class ColumnPlan:
    """What becomes of columns. `is_plain`: all of them are as their names say, and no word means no value."""

    def __init__(self, options: ImportOptions, to: Destination) -> None:
        self._user_key = to.user_key
        self._mapped = {one.column: _column(one.to, to) for one in options.mapping if one.column}
        self._others = self._mapped.pop(ALL_OTHERS, None)
        self.constants = [(_column(one.to, to), one.value) for one in options.mapping if not one.column]
        self._empty = frozenset(word.casefold() for word in options.empty)
        self._known: dict[str, Column] = dict(self._mapped)
        self._is_export = options.cells == JSON_CELLS
        self.is_plain = not (options.mapping or options.empty or options.cells)

    def column(self, name: str) -> Column:
        """Returns what becomes of the column of this name."""
        found = self._known.get(name)
        if found is None:
            found = self._others or (_exported(name) if self._is_export else None)
            found = found or Column(Into.NAMES if name in USER_COLUMNS else Into.DATA, name)
            if len(self._known) < MOST_COLUMNS:  # in NDJSON each line may have its own
                self._known[name] = found
        return found

    def check(self, columns: Iterable[str]) -> None:
        """Raises UnreadableFileError where the mapping does not fit a table's columns, or none can name the user."""
        columns = list(columns)
        missing = [name for name in self._mapped if name not in columns]
        if missing:
            raise UnreadableFileError(f"there is no column {missing[0]}, which the mapping names")
        found = [*map(self.column, columns), *(column for column, _ in self.constants)]
        if not any(self._names_user(column) for column in found):
            key = ".".join(self._user_key)
            key = f"the pixel's user key ({key})" if key else "the pixel's user key (it has none)"
            raise UnreadableFileError(f"no column names the user: uuid, {key}, pl and euid, or a device's id")

    def _names_user(self, column: Column) -> bool:
        if column.into is Into.DATA:
            return bool(self._user_key) and split_path(column.name) == self._user_key
        return column.into is Into.NAMES and column.name in _NAMES_THE_USER

    def sort(self, found: Mapping[str, Any]) -> SortedRow:
        """Sorts the values of a row. Raises BadRowError where two of them go to the same place."""
        row = SortedRow()
        for name, value in found.items():
            column = self.column(name)
            # an empty cell of an attribute stays where the quick way keeps it too: it changes nothing
            if not self._is_empty(value) or (column.into is Into.DATA and not self._empty):
                _put(row, column, value)
        for column, value in self.constants:
            _put(row, column, value)
        return row

    def _is_empty(self, value: Any) -> bool:
        if value is None or value == "":
            return True
        return bool(self._empty) and isinstance(value, str) and value.strip().casefold() in self._empty


def _put(row: SortedRow, column: Column, value: Any) -> None:
    if column.into is Into.NOWHERE:
        return
    if column.into is Into.LAST_SEEN:
        row.last_seen = value
        return
    place = {Into.NAMES: row.names, Into.DATA: row.data, Into.DIMENSIONS: row.dimensions}[column.into]
    if column.name in place:
        raise BadRowError(f"{column.name}: collides with another column")
    place[column.name] = value


def _exported(name: str) -> Column | None:
    """Returns what a column of an export is whose name is neither an id nor the path of an attribute; else None."""
    if name == "since":
        return Column(Into.NOWHERE)
    if name.startswith(DIMENSION):
        return Column(Into.DIMENSIONS, name.removeprefix(DIMENSION))
    return Column(Into.DATA, name.removeprefix(ATTRIBUTE)) if name.startswith(ATTRIBUTE) else None


def _column(target: str, to: Destination) -> Column:
    """Returns what a target of a mapping means. Raises UnreadableFileError where the pixel does not know it."""
    if target == USER:
        if not to.user_key:
            raise UnreadableFileError("the mapping names a user, and the pixel has no user key")
        return Column(Into.DATA, join_path(to.user_key))
    if target == LAST_SEEN:
        return Column(Into.LAST_SEEN)
    if target.startswith(ATTRIBUTE):
        return Column(Into.DATA, target.removeprefix(ATTRIBUTE))
    if target.startswith(DIMENSION):
        return Column(Into.DIMENSIONS, target.removeprefix(DIMENSION))
    return Column(Into.NAMES, target) if target else Column(Into.NOWHERE)
