"""Values as the cells of a table of text, and back: one grammar for exports, and for imports that are told to use it.

A cell is the text itself, or JSON. Of a column of texts, JSON begins with a quote or a bracket; of any other column,
whatever is JSON is JSON. So a text that would be taken for something else stands as a JSON text, in quotes, and so does
one that a spreadsheet would take for a formula: it cannot run, and it reads back as itself.
"""

from typing import Any

import msgspec

from core.json_values import loads

TEXT = "string"
"""The type of attributes whose values are texts."""

_JSON = ("[", "{", '"')
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""How a cell begins that a spreadsheet computes; full-width signs are read as the others by some."""

_encode = msgspec.json.encode


def cell_of(value: Any, type_: str) -> str:
    """Returns the cell of a value of an attribute of this type; an empty one for none."""
    if value is None:
        return ""
    if not isinstance(value, str):
        return _encode(value).decode()
    return _encode(value).decode() if _would_be_taken(value, type_) else value


def value_of(cell: str, type_: str) -> Any:
    """Returns what a cell says. What begins as JSON and is none is a text."""
    if not cell or (type_ == TEXT and not cell.startswith(_JSON)):
        return cell
    try:
        return loads(cell)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return cell


def _would_be_taken(text: str, type_: str) -> bool:
    return text.startswith((*_JSON, *_FORMULA)) or text != text.strip() or not isinstance(value_of(text, type_), str)
