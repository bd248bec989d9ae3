"""JSON values as the hub keeps them: each number has exactly one form (`core.values.numbers`).

A whole number within 64 bits, signed or not, is an int, however it was written: 1.0 is 1, −0.0 is 0, and 1e18 and
9007199254740993.0 are exact. So Python and PostgreSQL compare alike. All other numbers are floats. An integer beyond 64
bits, which only PostgreSQL's own notation of a large float can bring, is read back as that float.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from core.values.numbers import HIGHEST, LOWEST, kept, read_float

# integers beyond 64 bits have at least that many digits; this search costs a tenth of a regular expression
_LONG_NUMBER = b"0" * 19
_SHAPES = bytes(ord("0") if chr(byte).isdigit() and byte < 0x80 else ord(" ") for byte in range(256))
_EXPONENTS = bytes(ord("e") if chr(byte) in "eE" else _SHAPES[byte] for byte in range(256))


def canonical(value: Any) -> Any:
    """Returns `value` with every number in the form in which it is kept."""
    kind = type(value)
    if kind is float:
        return kept(value)
    if kind is int:
        return value if LOWEST <= value <= HIGHEST else float(value)
    if kind is list:
        return [canonical(item) for item in value]
    if kind is dict:
        return {key: canonical(item) for key, item in value.items()}
    return value


decode = msgspec.json.Decoder(float_hook=read_float).decode
"""Reads JSON: floats in kept form, integers as they stand. Raises `msgspec.DecodeError`, for 1e400 and 1e-400 too."""


def loads(raw: bytes | bytearray | memoryview | str) -> Any:
    """Read JSON into kept form. Raises `msgspec.DecodeError`."""
    data = raw.encode() if isinstance(raw, str) else bytes(raw)
    value = decode(data)
    return canonical(value) if may_hold_long_number(data) else value


def may_hold_long_number(raw: bytes) -> bool:
    """Whether JSON text can hold an integer beyond 64 bits. A cheap look at the bytes: most texts cannot."""
    return _LONG_NUMBER in raw.translate(_SHAPES)


def may_hold_far_exponent(raw: bytes) -> bool:
    """Whether JSON text can hold a number with an exponent of several digits. A cheap look at the bytes."""
    return b"0e00" in raw.translate(_EXPONENTS, b"+-")


def text_size(value: Any) -> int:
    """Returns about how many bytes PostgreSQL writes for a value, which spells out every digit of 1e300."""
    encoded = msgspec.json.encode(value)
    if not may_hold_far_exponent(encoded):
        return len(encoded)
    return len(encoded) + sum(map(_spelled_out, _floats_in(value)))


def _floats_in(value: Any) -> Iterator[float]:
    if isinstance(value, float):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _floats_in(inner)


def _spelled_out(value: float) -> int:
    """Returns how many digits PostgreSQL writes for the exponent of a number."""
    _, _, exponent = repr(value).partition("e")
    return abs(int(exponent or 0))


def is_deeper(value: Any, most: int) -> bool:
    """Whether lists and objects stand within each other in more than `most` levels."""
    level = [value]
    for _ in range(most):
        level = [inner for one in level for inner in _inside(one)]
        if not level:
            return False
    return True


def _inside(value: Any) -> Iterable[Any]:
    """Returns the lists and objects inside a value."""
    if isinstance(value, dict):
        return [inner for inner in value.values() if isinstance(inner, dict | list)]
    return [inner for inner in value if isinstance(inner, dict | list)] if isinstance(value, list) else ()


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal as JSON: unlike in Python, true is not 1."""
    if type(one) is not type(other) or one != other:
        return False
    return not isinstance(one, list | dict) or msgspec.json.encode(one) == msgspec.json.encode(other)


def is_empty(value: Any) -> bool:
    """Whether the value of an attribute counts as empty, so that it changes nothing (as senders are told)."""
    return not value and (value is None or value in ("", [], {}))
