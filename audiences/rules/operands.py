"""The values of rules: read, checked against the field's type, put into canonical form.

A reader returns the value, or notes at its location what is wrong and returns None.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from audiences.rules.errors import Location
from audiences.rules.nodes import Operand, Scalar
from audiences.rules.operators import AttributeType, Operator
from audiences.rules.values import canonical_number, parse_duration, parse_timestamp
from core.patterns import has_surrogate
from core.time_zones import DEFAULT
from core.values.moments import seconds_of
from core.values.numbers import Number

MOST_VALUES = 10_000
MOST_DAYS = 180
MOST_SEEN = 2**63 - 1

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


@dataclass(frozen=True, slots=True)
class ValueKind:
    """What values of a field are: their type, and how to ask for the zone of times that name none."""

    type: AttributeType
    zone: Callable[[], str] = lambda: DEFAULT


NUMBER, STRING = ValueKind("number"), ValueKind("string")


def read_scalar(value: object, kind: ValueKind, at: Location) -> Scalar | None:
    """Read one value of the field's type; a timestamp becomes unix seconds."""
    if kind.type == "time" and isinstance(value, str):
        return _attempt(partial(parse_timestamp, zone=kind.zone), value, at)
    if type(value) not in _KINDS[kind.type]:
        at.refuse(f"must be {_WORDS[kind.type]}")
        return None
    if isinstance(value, str):
        return _storable(value, at)
    if isinstance(value, bool):
        return value
    assert isinstance(value, int | float)
    return _attempt(_moment if kind.type == "time" else canonical_number, value, at)


def _moment(value: Number) -> Number:
    """Returns the unix seconds of a number, which may be in milliseconds, as those of attributes may be."""
    return seconds_of(canonical_number(value))


def _attempt(reader: Callable[[_Read], Number], value: _Read, at: Location) -> Number | None:
    try:
        return reader(value)
    except ValueError as error:
        message = str(error)
        at.refuse(message if message.startswith(("must", "is")) else f"is {message}")
        return None


def _storable(text: str, at: Location) -> str | None:
    if "\0" in text or has_surrogate(text):
        at.refuse("must not contain NUL or half a surrogate pair")
        return None
    return text


def _one(value: object, kind: ValueKind, at: Location) -> Operand:
    return read_scalar(value, kind, at)


def _ordered(value: object, kind: ValueKind, at: Location) -> Scalar | None:
    if isinstance(value, bool) and kind.type == "mixed":
        at.refuse("must be text or a number: true and false have no order")
        return None
    return read_scalar(value, kind, at)


def _text(value: object, _kind: ValueKind, at: Location) -> Operand:
    return read_scalar(value, STRING, at)


def _ends(value: object, kind: ValueKind, at: Location) -> Operand:
    if not isinstance(value, list) or len(value) != 2:
        at.refuse("must be a list of two ends")
        return None
    low, high = (_ordered(end, kind, at.item(index)) for index, end in enumerate(value))
    if low is None or high is None:
        return None
    if isinstance(low, str) is not isinstance(high, str):
        at.refuse("must be two ends of one kind")
        return None
    return _in_order(low, high, at)


def _in_order(low: _Read, high: _Read, at: Location) -> tuple[_Read, _Read] | None:
    """Returns two values of one kind as the ends of a range, where they are in order."""
    ordered: tuple[Any, Any] = (low, high)
    if ordered[0] > ordered[1]:
        at.refuse("must begin with the lower end")
        return None
    return (low, high)


def _several(value: object, kind: ValueKind, at: Location) -> Operand:
    if not isinstance(value, list) or not 1 <= len(value) <= MOST_VALUES:
        at.refuse(f"must be a list of 1 to {MOST_VALUES} values")
        return None
    read = [read_scalar(item, kind, at.item(index)) for index, item in enumerate(value)]
    return tuple(item for item in read if item is not None)


READERS: dict[Operator, Callable[[object, ValueKind, Location], Operand]] = {
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


def read_integer(value: object, at: Location, *, least: int, most: int) -> int | None:
    """Read a whole number within bounds; 3.0 is 3."""
    whole = int(value) if isinstance(value, float) and value.is_integer() else value
    if isinstance(whole, bool) or not isinstance(whole, int) or not least <= whole <= most:
        bounds = f"from {least} to {most}" if most < MOST_SEEN else f"of at least {least}"
        at.refuse(f"must be a whole number {bounds}")
        return None
    return whole


def read_count(value: object, operator: Operator, at: Location) -> int | tuple[int, int] | None:
    """Read how often a pixel was seen: a number, or two for `between`."""
    if operator is not Operator.BETWEEN:
        return read_integer(value, at, least=0, most=MOST_SEEN)
    if not isinstance(value, list) or len(value) != 2:
        at.refuse("must be a list of two ends")
        return None
    low, high = (read_integer(end, at.item(i), least=0, most=MOST_SEEN) for i, end in enumerate(value))
    return None if low is None or high is None else _in_order(low, high, at)


def read_percents(value: object, positive: Operator, at: Location) -> tuple[Number, ...] | None:
    """Read a share of all users, 0 to 100, or two for `between`."""
    if positive is Operator.BETWEEN:
        ends = _ends(value, NUMBER, at)
        found = ends if isinstance(ends, tuple) else None
    else:
        one = read_scalar(value, NUMBER, at)
        found = None if one is None else (one,)
    if found is None:
        return None
    percents = tuple(end for end in found if isinstance(end, int | float) and 0 <= end <= 100)
    if len(percents) < len(found):
        at.refuse("must be percent, from 0 to 100")
        return None
    return percents


def read_duration(value: object, at: Location) -> int | None:
    """Read an ISO 8601 duration, in milliseconds."""
    if not isinstance(value, str):
        at.refuse("must be an ISO 8601 duration such as P30D or PT30M")
        return None
    length = _attempt(parse_duration, value, at)
    return None if length is None else int(length)


def read_ids(value: object, at: Location, exists: Callable[[int], bool], word: str) -> tuple[int, ...] | None:
    """Read an id or a list of ids, each of which must exist; repeated ones are kept once."""
    if not isinstance(value, list):
        found = _known_id(value, at, exists, word)
        return None if found is None else (found,)
    if not 1 <= len(value) <= MOST_VALUES:
        at.refuse(f"must be an id or a list of 1 to {MOST_VALUES} ids")
        return None
    ids = [_known_id(item, at.item(index), exists, word) for index, item in enumerate(value)]
    return tuple(dict.fromkeys(found for found in ids if found is not None))


def _known_id(value: object, at: Location, exists: Callable[[int], bool], word: str) -> int | None:
    number = read_integer(value, at, least=0, most=2**31 - 1)
    if number is not None and not exists(number):
        at.refuse(f"names no {word} of this customer: {number}")
        return None
    return number
