"""What `data` must be: a JSON object that the database, and every rule, can hold."""

from typing import Any

import msgspec

from core.json_values import may_hold_long_number

INTEGERS = range(-(2**63), 2**64)

_decode = msgspec.json.Decoder().decode


class BadDataError(ValueError):
    """Not a JSON object, or one that cannot be kept."""


def parse(raw: bytes, depth: int) -> dict[str, Any]:
    """The object; the last of duplicate keys. Raises BadDataError.

    The decoder refuses NaN, infinity, lone surrogates and invalid UTF-8. What it lets pass (NUL, integers
    beyond 64 bits, any depth) needs a walk through the object, so cheap looks at the bytes say first
    whether there can be any such thing.
    """
    try:
        data = _decode(raw)
    except (ValueError, RecursionError):
        raise BadDataError from None
    if not isinstance(data, dict):
        raise BadDataError
    if _is_suspicious(raw, depth):
        _walk(data, depth)
    return data


def _is_suspicious(raw: bytes, depth: int) -> bool:
    return b"\\u0000" in raw or raw.count(b"{") + raw.count(b"[") > depth or may_hold_long_number(raw)


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
