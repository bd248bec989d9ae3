"""Numbers as they are: whole ones exactly within 64 bits, others as the nearest float. Nothing is rounded silently.

A whole number has −2⁶³ to 2⁶⁴−1, however it is written: `1e18` and `9007199254740993.0` are whole, too. A whole number
beyond is refused where it is written with digits alone; with a point or an exponent it is a float, as JSON has them.

Encoders of JSON write a large float by the shortest number that is read as it, with an exponent: 6.969896662270649e+16
for 69698966622706488. Such a number is the float, and kept with all its digits. Any other says what it says.
"""

from collections.abc import Callable
from decimal import Decimal

from core.patterns import whole
from core.values.errors import UnreadableValueError

LOWEST, HIGHEST = -(2**63), 2**64 - 1
EXACT = 2**53
"""Below that, each whole number is a float of its own."""

LONGEST = 400
"""Characters of a number's text. A float has 309 digits before its point."""

BLANKS = " \t\r\n"

Number = int | float

_INFINITY = float("inf")
_SHORT = whole(r"-?[0-9]{1,18}+")
_DIGITS = whole(r"[+-]?[0-9]++")
_NUMBER = whole(r"[+-]?(?:[0-9]++(?:\.[0-9]*+)?+|\.[0-9]++)(?:[eE][+-]?[0-9]++)?+")


def read_number(text: str) -> Number:
    """Returns the number that a text is; blanks around it do not count. Raises UnreadableValueError."""
    if _SHORT(text):
        return int(text)
    text = text.strip(BLANKS)
    if len(text) > LONGEST or not _NUMBER(text):
        raise UnreadableValueError("is no number")
    return _whole(int(text)) if _DIGITS(text) else _read(text, _decimal)


def read_integer(text: str) -> int:
    """Returns the whole number that a text is: `12`, also `12.0` and `1e3`. Raises UnreadableValueError."""
    number = read_number(text)
    if isinstance(number, float):
        raise UnreadableValueError("is no whole number" if abs(number) < HIGHEST else "is beyond 64 bits")
    text = text.strip(BLANKS)
    if number and not _DIGITS(text) and Decimal(text) != number:  # so close to it that no float tells them apart
        raise UnreadableValueError("is no whole number")
    return number


def read_float(text: str) -> Number:
    """Returns what a number of JSON with a point or an exponent says. `text` must be a sound one, of whatever length.

    Raises UnreadableValueError where no float is so large, or so close to zero.
    """
    return _read(text, _as_json_writes_it)


def kept(value: Number) -> Number:
    """Returns a number in the one form in which it is kept: an int where it is whole and within 64 bits, else a float.

    So 1.0 is 1, and −0.0 is 0. An integer beyond 64 bits, which only PostgreSQL's own notation of a large float can
    bring, is that float.
    """
    if isinstance(value, int):
        return value if LOWEST <= value <= HIGHEST else float(value)
    return int(value) if value.is_integer() and LOWEST <= value <= HIGHEST else value


def _read(text: str, large: Callable[[str, float], Number]) -> Number:
    """Reads a number. `large`: what reads one that is so large that several whole numbers are the same float."""
    value = float(text)
    if not value.is_integer():
        if -_INFINITY < value < _INFINITY:
            return value
        raise UnreadableValueError("is too large a number")
    if -EXACT < value < EXACT:
        if not value and _is_above_zero(text):
            raise UnreadableValueError("is too small a number")
        return int(value)
    return large(text, value)


def _as_json_writes_it(text: str, value: float) -> Number:
    is_shortest = "e" in text.lower() and Decimal(text) == Decimal(repr(value))
    return kept(value) if is_shortest else _decimal(text, value)


def _decimal(text: str, value: float) -> Number:
    """Returns the whole number that the text says; the float where it is none, or beyond 64 bits."""
    exact = Decimal(text)
    return int(exact) if LOWEST <= exact <= HIGHEST and exact == exact.to_integral_value() else kept(value)


def _whole(number: int) -> int:
    if not LOWEST <= number <= HIGHEST:
        raise UnreadableValueError("is beyond 64 bits")
    return number


def _is_above_zero(text: str) -> bool:
    """Whether a digit before the exponent is none of zero."""
    digits, _, _ = text.lower().partition("e")
    return any(sign in digits for sign in "123456789")
