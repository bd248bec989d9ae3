"""The one function that reads a text of a table or a file as what it means, by the spelling of its source.

    read = reader("number", Spelling(decimal=",", thousands="."))
    read("1.234,56")   # 1234.56
    read("1_000")      # raises UnreadableValueError: what is not understood is refused

`STRICT`, the default, is what JSON and ISO 8601 know: a point, no sign between thousands, digits 0 to 9.
"""

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, tzinfo
from functools import lru_cache

from core.values.dates import EXCEL, EXCEL_1904, ISO, date_format, read_serial
from core.values.errors import UnreadableValueError
from core.values.moments import is_iso, read_moment
from core.values.numbers import BLANKS, LONGEST, Number, read_integer, read_number

Value = bool | int | float | str
TextReader = Callable[[str], Value | None]
"""Returns the value; None for a text that counts as empty. Raises UnreadableValueError."""

DECIMALS = (".", ",")
THOUSANDS = ("", ",", ".", " ", "'", "_")
_BLANK_THOUSANDS = str.maketrans({"\N{NO-BREAK SPACE}": " ", "\N{NARROW NO-BREAK SPACE}": " ", "\N{THIN SPACE}": " "})
_APOSTROPHES = str.maketrans({"\N{RIGHT SINGLE QUOTATION MARK}": "'"})

_WIDE_SIGNS = (
    "\N{FULLWIDTH COMMA}\N{FULLWIDTH FULL STOP}\N{FULLWIDTH PLUS SIGN}"
    "\N{FULLWIDTH HYPHEN-MINUS}\N{FULLWIDTH COLON}\N{FULLWIDTH SOLIDUS}"
)

TRUE_WORDS, FALSE_WORDS = frozenset({"true", "1", "yes"}), frozenset({"false", "0", "no"})


@dataclass(frozen=True, slots=True)
class Spelling:
    """How a source spells its values. What is not said is not understood.

    - `decimal`: `.` or `,`. `thousands`: one of `THOUSANDS`; groups must then be of three digits, or there are none.
    - `dates`: `iso`, which also knows unix times; `excel` or `excel-1904` for days as spreadsheets count them; or a
      format of `core.values.dates`. `zone`: where times are from that name no zone.
    - `empty`: texts that stand for no value, whatever their case; the empty text always does.
    - `any_digits`: digits of other scripts count as well, such as full-width ones.

    Raises ValueError for what is none of these.
    """

    decimal: str = "."
    thousands: str = ""
    dates: str = ISO
    zone: tzinfo = UTC
    empty: frozenset[str] = frozenset()
    any_digits: bool = False

    def __post_init__(self) -> None:
        if self.decimal not in DECIMALS:
            raise ValueError("decimal: must be a point or a comma")
        if self.thousands not in THOUSANDS or self.thousands == self.decimal:
            raise ValueError("thousands: must be another sign than the decimal one: , . ' _ or a blank")
        if self.dates not in {ISO, EXCEL, EXCEL_1904}:
            date_format(self.dates)


STRICT = Spelling()


def read(text: str, type_: str, spelling: Spelling = STRICT) -> Value | None:
    """Returns the text as a value of the type; None if it counts as empty. Raises UnreadableValueError.

    Types are those of attributes: `integer` and `number` are exact within 64 bits, `time` is unix seconds, `boolean` is
    one of the usual words, `string` and `mixed` are the text as it stands. Of many texts, ask `reader` once.
    """
    return reader(type_, spelling)(text)


@lru_cache(maxsize=1_000)
def reader(type_: str, spelling: Spelling = STRICT) -> TextReader:
    """Returns the function that reads texts of one type and spelling."""
    convert = _CONVERTERS[type_](spelling)
    words = frozenset(word.strip(BLANKS).casefold() for word in spelling.empty)

    def read_text(text: str) -> Value | None:
        bare = text.strip(BLANKS)
        if not bare or (words and bare.casefold() in words):
            return None
        return convert(bare if convert is not _as_it_is else text)

    return read_text


def _as_it_is(text: str) -> Value:
    return text


def read_flag(text: str) -> bool:
    """Returns true for `true`, `1` and `yes`, false for `false`, `0` and `no`. Raises UnreadableValueError."""
    word = text.strip(BLANKS).lower()
    if word in TRUE_WORDS:
        return True
    if word in FALSE_WORDS:
        return False
    raise UnreadableValueError("is neither true nor false")


def _number_reader(spelling: Spelling) -> Callable[[str], Number]:
    plain = _plain_reader(spelling)
    return read_number if plain is None else lambda text: read_number(plain(text))


def _integer_reader(spelling: Spelling) -> Callable[[str], int]:
    plain = _plain_reader(spelling)
    return read_integer if plain is None else lambda text: read_integer(plain(text))


def _moment_reader(spelling: Spelling) -> Callable[[str], Number]:
    zone, plain = spelling.zone, _plain_reader(spelling)
    digits = _ascii_digits if spelling.any_digits else _same
    if spelling.dates == ISO:
        return lambda text: _iso_moment(digits(text), zone, plain)
    if spelling.dates in {EXCEL, EXCEL_1904}:
        since_1904 = spelling.dates == EXCEL_1904
        return lambda text: read_serial(plain(text) if plain else text, zone, since_1904=since_1904)
    format_ = date_format(spelling.dates)
    return lambda text: format_.read(digits(text), zone)


def _iso_moment(text: str, zone: tzinfo, plain: Callable[[str], str] | None) -> Number:
    if is_iso(text) or plain is None:
        return read_moment(text, zone)
    return read_moment(plain(text), zone)


_CONVERTERS: dict[str, Callable[[Spelling], Callable[[str], Value]]] = {
    "string": lambda _spelling: _as_it_is,
    "mixed": lambda _spelling: _as_it_is,
    "number": _number_reader,
    "integer": _integer_reader,
    "boolean": lambda _spelling: read_flag,
    "time": _moment_reader,
}


def _plain_reader(spelling: Spelling) -> Callable[[str], str] | None:
    """Returns what brings a number's text into the spelling of JSON; None where it is spelled so."""
    decimal, thousands, any_digits = spelling.decimal, spelling.thousands, spelling.any_digits
    if decimal == "." and not thousands and not any_digits:
        return None

    def plain(text: str) -> str:
        if len(text) > LONGEST:
            raise UnreadableValueError("is no number")
        text = _ascii_digits(text) if any_digits else text
        whole_part, sign, rest = text.partition(decimal)
        if thousands:
            whole_part = _ungrouped(whole_part, thousands)
        if (decimal == "," and "." in whole_part) or "." in rest:
            raise UnreadableValueError("is no number with the signs that were said")
        return f"{whole_part}{sign and '.'}{rest}"

    return plain


def _ungrouped(text: str, thousands: str) -> str:
    """Returns the digits before the decimal sign without the signs between thousands."""
    if thousands == " ":
        text = text.translate(_BLANK_THOUSANDS)
    elif thousands == "'":
        text = text.translate(_APOSTROPHES)
    first, *groups = text.split(thousands)
    if groups and not (first.lstrip("+-") and len(first.lstrip("+-")) <= 3 and all(map(_is_group, groups))):
        raise UnreadableValueError("is no number with the signs that were said: groups have three digits")
    return first + "".join(groups)


def _is_group(text: str) -> bool:
    return len(text) == 3 and text.isascii() and text.isdigit()


def _same(text: str) -> str:
    return text


def _ascii_digits(text: str) -> str:
    """Returns the text with 0 to 9 in place of the digits of other scripts, and plain signs in place of wide ones."""
    if text.isascii():
        return text
    return "".join(map(_ascii_sign, text))


def _ascii_sign(sign: str) -> str:
    digit = unicodedata.decimal(sign, None)
    if digit is not None:
        return str(digit)
    return unicodedata.normalize("NFKC", sign) if sign in _WIDE_SIGNS else sign
