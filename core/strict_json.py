"""The one reader of JSON that people and callers write: bodies of the API, and fields of the console's forms.

Raises StrictJsonError for whatever PostgreSQL's jsonb cannot hold, or would have to be read without end. (What senders
send is read by `core.json_values`, which is faster and keeps numbers in one form.)
"""

import json
from typing import Any, NoReturn

from core.errors import InputError
from core.json_values import is_deeper
from core.values.errors import UnreadableValueError
from core.values.numbers import EXACT, read_float

MOST_DEPTH = 100
MOST_DIGITS = 400  # a float has 309 before its point


class StrictJsonError(InputError):
    """The text is no JSON that the hub can keep. The message never quotes it."""


def read(text: str | bytes) -> Any:
    """Return the value of the JSON text. Raises StrictJsonError."""
    try:
        value = json.loads(text, parse_constant=_constant, parse_float=_float, parse_int=_whole)
        json.dumps(value, ensure_ascii=False).encode()  # a lone surrogate has no UTF-8
    except RecursionError:
        raise StrictJsonError("The JSON is nested too deeply.") from None
    except UnicodeError:
        raise StrictJsonError("A text holds half a character.") from None
    except ValueError as error:
        raise StrictJsonError(f"The text is not valid JSON: {error}") from None
    if is_deeper(value, MOST_DEPTH):
        raise StrictJsonError("The JSON is nested too deeply.")
    if ("\\u0000" in text if isinstance(text, str) else b"\\u0000" in text) and _holds_nul(value):
        raise StrictJsonError("A text holds a NUL character.")
    return value


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _float(text: str) -> int | float:
    """Returns a float; a whole number that no float holds exactly as an int, so that nothing is rounded."""
    try:
        value = read_float(text)
    except UnreadableValueError as error:
        raise ValueError(f"a number {error}") from None
    return float(value) if -EXACT < value < EXACT else value


def _whole(text: str) -> int:
    if len(text) > MOST_DIGITS:
        raise ValueError("a number is too large")
    return int(text)


def _holds_nul(value: Any) -> bool:
    if isinstance(value, dict):
        return any("\0" in key or _holds_nul(held) for key, held in value.items())
    if isinstance(value, list):
        return any(map(_holds_nul, value))
    return isinstance(value, str) and "\0" in value
