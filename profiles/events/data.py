"""The `data` of an event: a JSON object that the database, and every rule, can hold."""

from typing import Any

from core.json_values import decode, may_hold_long_number
from core.values.numbers import HIGHEST, LOWEST

INTEGERS = range(LOWEST, HIGHEST + 1)

_BACKSLASH = ord("\\")


class BadDataError(ValueError):
    """The text is not a JSON object, or it is one that cannot be kept."""


def parse_data(raw: bytes, depth: int) -> dict[str, Any]:
    """Returns the object; of duplicate keys the last one counts. Raises BadDataError.

    The decoder refuses NaN, infinity, floats that are too large or too small to be one, lone surrogates and invalid
    UTF-8. It does not refuse NUL, integers beyond 64 bits, or more than `depth` levels: to find these, the object must
    be walked through. Most data holds no such thing, so cheap looks at the bytes decide first whether it is needed.
    """
    try:
        data = decode(raw)
    except (ValueError, RecursionError):
        raise BadDataError from None
    if not isinstance(data, dict):
        raise BadDataError
    if _needs_walk(raw, depth):
        _walk(data, depth)
    return data


def _needs_walk(raw: bytes, depth: int) -> bool:
    if _BACKSLASH in raw and b"\\u0000" in raw:
        return True
    return raw.count(b"{") + raw.count(b"[") > depth or may_hold_long_number(raw)


def _walk(data: dict[str, Any], depth: int) -> None:
    level: list[Any] = [data]
    for _ in range(depth):
        level = [child for value in level for child in _children(value)]
        if not level:
            return
    for value in level:
        _children(value)
        if isinstance(value, dict | list):
            raise BadDataError


def _children(value: Any) -> Any:
    """Returns the values inside `value`. Raises BadDataError if `value` itself cannot be kept."""
    if isinstance(value, dict):
        if any("\0" in key for key in value):
            raise BadDataError
        return value.values()
    if isinstance(value, list):
        return value
    if isinstance(value, str) and "\0" in value:
        raise BadDataError
    if isinstance(value, int) and value not in INTEGERS:
        raise BadDataError
    return ()
