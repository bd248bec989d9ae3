"""How the values of attributes are read: as the file spells them, and whether they convert to the attribute's type.

A value that does not convert makes its row a bad row, with the same words in a dry run and in an import.
"""

from dataclasses import dataclass
from typing import Any

from core.json_values import is_empty
from core.values.errors import UnreadableValueError
from core.values.spelled import TextReader, reader
from pipeline.imports.destination import Destination
from pipeline.imports.errors import BadRowError
from pipeline.imports.mapping import ATTRIBUTE
from pipeline.imports.options import ImportOptions
from profiles.conversion import UnconvertibleError, convert, holder
from profiles.models import Attribute
from profiles.paths import join_path, split_path

Type = Attribute.Type
_SPELLED_BY_DECIMAL = {Type.NUMBER, Type.INTEGER}


@dataclass(frozen=True, slots=True)
class Reading:
    """`keys`: of the attribute's path. `type`: the attribute's own, or the mapping's where it has none.

    `read`: reads texts as the file spells them; None: they are kept as they are. `is_typed`: the attribute has the
    type, so whatever is kept must convert to it.
    """

    path: str
    keys: list[str]
    type: str
    read: TextReader | None
    is_typed: bool


class Readings:
    """The readings of an import's attributes."""

    def __init__(self, options: ImportOptions, to: Destination) -> None:
        self._zone = to.zone
        spelling = options.spelling(to.zone)
        chosen = {
            split_path(one.to.removeprefix(ATTRIBUTE)): one.type for one in options.mapping if one.type and one.column
        }
        own = {tuple(keys): type_ for _, keys, type_ in to.typed}
        self.all: list[Reading] = []
        for keys in {**own, **chosen}:
            type_ = own.get(keys) or chosen[keys]
            is_spelled = keys in chosen or _is_spelled(type_, options)
            read = reader(type_, spelling) if is_spelled and type_ != Type.STRING else None
            self.all.append(Reading(join_path(keys), list(keys), type_, read, keys in own))
        self.read_moment = reader(Type.TIME, spelling)

    def read(self, data: dict[str, Any]) -> None:
        """Put what texts say in their places. Raises BadRowError."""
        for reading in self.all:
            if reading.read is None or (place := holder(data, reading.keys)) is None:
                continue
            value = place[reading.keys[-1]]
            if isinstance(value, str):
                try:
                    place[reading.keys[-1]] = reading.read(value)
                except UnreadableValueError as fault:
                    raise BadRowError(f"{reading.path}: {fault}") from None

    def check(self, data: dict[str, Any]) -> None:
        """Raises BadRowError if a value would not convert to the type that its attribute has."""
        for reading in self.all:
            place = holder(data, reading.keys) if reading.is_typed else None
            if place is None or is_empty(place[reading.keys[-1]]):
                continue
            try:
                convert(place[reading.keys[-1]], reading.type, self._zone)
            except UnconvertibleError:
                raise BadRowError(f"{reading.path}: does not convert to the attribute's type, {reading.type}") from None


def _is_spelled(type_: str, options: ImportOptions) -> bool:
    """Whether the person who imports said how values of this type are written."""
    return bool(options.dates if type_ == Type.TIME else options.decimal and type_ in _SPELLED_BY_DECIMAL)
