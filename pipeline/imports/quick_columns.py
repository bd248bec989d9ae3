"""The cells of one column of a CSV file, hundreds at a time, as they stand in the JSON of their rows.

Whatever is not surely right is left to the careful way, which reads row by row and says what is wrong.
"""

from collections.abc import Callable
from functools import lru_cache

import msgspec

from core.patterns import FullMatch, whole
from core.values.errors import UnreadableValueError
from core.values.spelled import Spelling, TextReader
from pipeline.imports.readings import Reading
from profiles.conversion import UnconvertibleError, convert
from profiles.models import Attribute

Type = Attribute.Type
CellTexts = Callable[[list[str]], list[str] | None]
"""Returns what stands in the JSON for each of these cells; None if they have to be read one by one."""

REMEMBERED = 65_536  # texts of a column: dates and words come again and again
_LONGEST = 64  # characters of a text that is remembered
_WHOLE_NUMBERS = whole(r"(?:(?:0|-?[1-9][0-9]{0,17}+)?+\n)*+")
_NUMBERS: dict[str, FullMatch[str]] = {
    ".": whole(r"(?:(?:(?:0|[1-9][0-9]{0,14}+|-[1-9][0-9]{0,14}+)(?:\.[0-9]{1,15}+)?+)?+\n)*+"),
    ",": whole(r"(?:(?:(?:0|[1-9][0-9]{0,14}+|-[1-9][0-9]{0,14}+)(?:,[0-9]{1,15}+)?+)?+\n)*+"),
    ".,": whole(r"(?:(?:-?[1-9][0-9]{0,2}+(?:,[0-9]{3}){0,4}+(?:\.[0-9]{1,15}+)?+)?+\n)*+"),
    ",.": whole(r"(?:(?:-?[1-9][0-9]{0,2}+(?:\.[0-9]{3}){0,4}+(?:,[0-9]{1,15}+)?+)?+\n)*+"),
}
"""Numbers as JSON has them, by the sign before decimals, and that between thousands."""


def text_column(cells: list[str]) -> list[str]:
    """Of an attribute without a type: any text is right."""
    return cells


def column_of(reading: Reading, spelling: Spelling) -> CellTexts:
    """Returns what makes JSON of the cells of an attribute that is read, or must convert to a type."""
    if reading.read is None:
        return _checked(reading.type)
    rest = _remembered(reading)
    if reading.type not in {Type.NUMBER, Type.INTEGER}:
        return rest

    def numbers(cells: list[str]) -> list[str] | None:
        return _plain_numbers(cells, reading.type, spelling) or rest(cells)

    return numbers


def _plain_numbers(cells: list[str], type_: str, spelling: Spelling) -> list[str] | None:
    """Returns the numbers if all of them can be brought into JSON's form by changing signs."""
    text = "\n".join([*cells, ""])
    if not _WHOLE_NUMBERS(text):
        if type_ == Type.INTEGER:
            return None
        by_groups = _NUMBERS.get(spelling.decimal + spelling.thousands) if spelling.thousands else None
        if not _NUMBERS[spelling.decimal](text) and not (by_groups and by_groups(text)):
            return None
        if spelling.thousands:
            text = text.replace(spelling.thousands, "")
        text = text.replace(spelling.decimal, ".")
    found = text.split("\n")[:-1]
    return found if all(found) else [one or "null" for one in found]


def _remembered(reading: Reading) -> CellTexts:
    """Returns a column whose texts are read once each."""
    read: TextReader | None = reading.read
    assert read is not None

    @lru_cache(REMEMBERED)
    def json_of(cell: str) -> str:
        if len(cell) > _LONGEST or not cell.isascii():
            raise UnreadableValueError
        return msgspec.json.encode(read(cell)).decode()

    def texts(cells: list[str]) -> list[str] | None:
        try:
            return list(map(json_of, cells))
        except UnreadableValueError:
            return None

    return texts


def _checked(type_: str) -> CellTexts:
    """Returns a column whose cells stay as they are, if all of them convert to the type."""

    @lru_cache(REMEMBERED)
    def check(cell: str) -> None:
        if len(cell) > _LONGEST or not cell.isascii():
            raise UnconvertibleError
        if cell:
            convert(cell, type_)

    def texts(cells: list[str]) -> list[str] | None:
        if type_ == Type.STRING or (
            type_ in {Type.NUMBER, Type.INTEGER, Type.TIME} and _WHOLE_NUMBERS("\n".join([*cells, ""]))
        ):
            return cells
        try:
            list(map(check, cells))
        except UnconvertibleError:
            return None
        return cells

    return texts
