"""The values of rules: read, checked against the field's type, put into canonical form.

A reader returns the value, or notes at its spot what is wrong and returns none.
"""

import re
from collections.abc import Callable
from typing import Any, TypeVar

from audiences.rules.errors import Spot
from audiences.rules.moments import parse_duration, parse_timestamp
from audiences.rules.nodes import Operand, Scalar
from audiences.rules.numbers import Number, canonical_number
from audiences.rules.operators import Operator
from audiences.rules.schema import AttributeType

MOST_VALUES = 10_000
MOST_DAYS = 180
MOST_SEEN = 2**63 - 1

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_KINDS: dict[AttributeType, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, float),
    "integer": (int, float),
    "boolean": (bool,),
    "time": (int, float),
    "mixed": (str, int, float, bool),
}
_WORDS: dict[AttributeType, str] = {
    "string": "text",
    "number": "a number",
    "integer": "a number",
    "boolean": "true or false",
    "time": "unix seconds or an ISO 8601 timestamp",
    "mixed": "text, a number, true or false",
}
_Read = TypeVar("_Read")


def read_scalar(value: object, kind: AttributeType, spot: Spot) -> Scalar | None:
    """One value of the field's type; a timestamp becomes unix seconds."""
    if kind == "time" and isinstance(value, str):
        return _attempt(parse_timestamp, value, spot)
    if type(value) not in _KINDS[kind]:
        spot.refuse(f"must be {_WORDS[kind]}")
        return None
    if isinstance(value, str):
        return _storable(value, spot)
    if isinstance(value, bool):
        return value
    assert isinstance(value, int | float)
    return _attempt(canonical_number, value, spot)


def _attempt(reader: Callable[[_Read], Number], value: _Read, spot: Spot) -> Number | None:
    try:
        return reader(value)
    except ValueError as error:
        message = str(error)
        spot.refuse(message if message.startswith("must") else f"is {message}")
        return None


def _storable(text: str, spot: Spot) -> str | None:
    if _UNSTORABLE.search(text):
        spot.refuse("must not contain NUL or half a surrogate pair")
        return None
    return text


def _one(value: object, kind: AttributeType, spot: Spot) -> Operand:
    return read_scalar(value, kind, spot)


def _ordered(value: object, kind: AttributeType, spot: Spot) -> Scalar | None:
    if isinstance(value, bool) and kind == "mixed":
        spot.refuse("must be text or a number: true and false have no order")
        return None
    return read_scalar(value, kind, spot)


def _text(value: object, _kind: AttributeType, spot: Spot) -> Operand:
    return read_scalar(value, "string", spot)


def _ends(value: object, kind: AttributeType, spot: Spot) -> Operand:
    if not isinstance(value, list) or len(value) != 2:
        spot.refuse("must be a list of two ends")
        return None
    low, high = (_ordered(end, kind, spot.item(index)) for index, end in enumerate(value))
    if low is None or high is None:
        return None
    if isinstance(low, str) is not isinstance(high, str):
        spot.refuse("must be two ends of one kind")
        return None
    return _in_order(low, high, spot)


def _in_order(low: _Read, high: _Read, spot: Spot) -> tuple[_Read, _Read] | None:
    """Two values of one kind as the ends of a range, where they are in order."""
    ordered: tuple[Any, Any] = (low, high)
    if ordered[0] > ordered[1]:
        spot.refuse("must begin with the lower end")
        return None
    return (low, high)


def _several(value: object, kind: AttributeType, spot: Spot) -> Operand:
    if not isinstance(value, list) or not 1 <= len(value) <= MOST_VALUES:
        spot.refuse(f"must be a list of 1 to {MOST_VALUES} values")
        return None
    read = [read_scalar(item, kind, spot.item(index)) for index, item in enumerate(value)]
    return tuple(item for item in read if item is not None)


READERS: dict[Operator, Callable[[object, AttributeType, Spot], Operand]] = {
    Operator.EQUAL: _one,
    Operator.LESS: _ordered,
    Operator.LESS_OR_EQUAL: _ordered,
    Operator.MORE: _ordered,
    Operator.MORE_OR_EQUAL: _ordered,
    Operator.BETWEEN: _ends,
    Operator.IN: _several,
    Operator.CONTAINS: _one,
    Operator.BEGINS_WITH: _text,
    Operator.ENDS_WITH: _text,
}
"""By positive operator, for values of attributes and dimensions."""


def read_integer(value: object, spot: Spot, *, least: int, most: int) -> int | None:
    """A whole number within bounds; 3.0 is 3."""
    whole = int(value) if isinstance(value, float) and value.is_integer() else value
    if isinstance(whole, bool) or not isinstance(whole, int) or not least <= whole <= most:
        bounds = f"from {least} to {most}" if most < MOST_SEEN else f"of at least {least}"
        spot.refuse(f"must be a whole number {bounds}")
        return None
    return whole


def read_count(value: object, operator: Operator, spot: Spot) -> int | tuple[int, int] | None:
    """How often a pixel was seen: a number, or two for `between`."""
    if operator is not Operator.BETWEEN:
        return read_integer(value, spot, least=0, most=MOST_SEEN)
    if not isinstance(value, list) or len(value) != 2:
        spot.refuse("must be a list of two ends")
        return None
    low, high = (read_integer(end, spot.item(i), least=0, most=MOST_SEEN) for i, end in enumerate(value))
    return None if low is None or high is None else _in_order(low, high, spot)


def read_percents(value: object, positive: Operator, spot: Spot) -> tuple[Number, ...] | None:
    """A share of all users, 0 to 100, or two for `between`."""
    if positive is Operator.BETWEEN:
        ends = _ends(value, "number", spot)
        found = ends if isinstance(ends, tuple) else None
    else:
        one = read_scalar(value, "number", spot)
        found = None if one is None else (one,)
    if found is None:
        return None
    percents = tuple(end for end in found if isinstance(end, int | float) and 0 <= end <= 100)
    if len(percents) < len(found):
        spot.refuse("must be percent, from 0 to 100")
        return None
    return percents


def read_duration(value: object, spot: Spot) -> int | None:
    """An ISO 8601 duration, in milliseconds."""
    if not isinstance(value, str):
        spot.refuse("must be an ISO 8601 duration such as P30D or PT30M")
        return None
    length = _attempt(parse_duration, value, spot)
    return None if length is None else int(length)


def read_ids(value: object, spot: Spot, exists: Callable[[int], bool], word: str) -> tuple[int, ...] | None:
    """An id or a list of ids, each of which exists; repeated ones once."""
    if not isinstance(value, list):
        found = _known_id(value, spot, exists, word)
        return None if found is None else (found,)
    if not 1 <= len(value) <= MOST_VALUES:
        spot.refuse(f"must be an id or a list of 1 to {MOST_VALUES} ids")
        return None
    ids = [_known_id(item, spot.item(index), exists, word) for index, item in enumerate(value)]
    return tuple(dict.fromkeys(found for found in ids if found is not None))


def _known_id(value: object, spot: Spot, exists: Callable[[int], bool], word: str) -> int | None:
    number = read_integer(value, spot, least=0, most=2**31 - 1)
    if number is not None and not exists(number):
        spot.refuse(f"names no {word} of this customer: {number}")
        return None
    return number
