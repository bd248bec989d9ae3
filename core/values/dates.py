"""Dates as people write them: the order of day, month and year, and the sign between them, as somebody has said.

A format is made of `D` or `DD`, `M` or `MM`, `YYYY` or `YY`, with one sign of `. - /` or a blank between them, or
without any sign (`YYYYMMDD`). A time may follow each date: `14:05`, `2:05:09 PM`, with seconds and fractions, and with
a zone as in ISO 8601. A two-digit year is from 1969 to 2068.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache

from core.patterns import whole
from core.values.errors import UnreadableValueError
from core.values.moments import read_iso, seconds_at
from core.values.numbers import Number, read_number

ISO = "iso"
EXCEL, EXCEL_1904 = "excel", "excel-1904"

_SIGNS = "./- "
_TOKENS = {"D": 2, "DD": 2, "M": 2, "MM": 2, "YY": 2, "YYYY": 4}
_TIME = whole(
    r"([0-9]{1,2}):([0-9]{2})(:[0-9]{2}(?:[.,][0-9]{1,9}+)?+)?+"
    r"(?: ?+([AaPp])[Mm])?+(?: ?+(Z|UTC|[+-][0-9]{2}:?+[0-9]{2}))?+"
)
_LONGEST = 64
_CENTURY_FROM = 69

_NO_DAY = 60  # 29 February 1900, which Excel takes for a day
_LAST_SERIAL = 2_958_466


@dataclass(frozen=True, slots=True)
class DateFormat:
    """One order of day, month and year. `parts`: the tokens in order; `sign`: what stands between, or nothing."""

    parts: tuple[str, str, str]
    sign: str

    def read(self, text: str, zone: tzinfo = UTC) -> Number:
        """Returns the unix seconds of a date in this format, with or without a time. Raises UnreadableValueError."""
        if len(text) > _LONGEST:
            raise UnreadableValueError("is no date in the format that was said")
        date, _, clock = self._cut(text)
        return read_iso(f"{self._iso(date)}{_iso_time(clock)}", zone)

    def _cut(self, text: str) -> tuple[str, str, str]:
        """Returns date, blank and time; a sign of the format may be a blank as well."""
        if self.sign != " ":
            return text.replace("T", " ", 1).partition(" ")
        words = text.split(" ", 3)
        return " ".join(words[:3]), " ", "".join(words[3:])

    def _iso(self, date: str) -> str:
        found = dict(zip((part[0] for part in self.parts), self._split(date), strict=True))
        year = found["Y"]
        if len(year) == 2:
            year = f"{'19' if int(year) >= _CENTURY_FROM else '20'}{year}"
        return f"{year}-{found['M']:0>2}-{found['D']:0>2}"

    def _split(self, date: str) -> list[str]:
        if self.sign:
            pieces = date.split(self.sign)
        else:
            pieces, start = [], 0
            for part in self.parts:
                pieces.append(date[start : start + _TOKENS[part]])
                start += _TOKENS[part]
            pieces[-1] += date[start:]
        if len(pieces) != len(self.parts) or not all(map(_fits, pieces, self.parts)):
            raise UnreadableValueError("is no date in the format that was said")
        return pieces


def _fits(piece: str, part: str) -> bool:
    width = _TOKENS[part]
    return piece.isascii() and piece.isdigit() and len(piece) in ({width} if part[0] == "Y" else {1, 2})


def _iso_time(clock: str) -> str:
    """Returns a time as ISO 8601 writes it after the date; nothing where there is none."""
    if not clock:
        return ""
    found = _TIME(clock)
    if found is None:
        raise UnreadableValueError("is no date in the format that was said: what follows the date is no time")
    hour, minute, seconds, half, zone = found.groups()
    if half is not None:
        if not 1 <= int(hour) <= 12:
            raise UnreadableValueError("is no moment: there is no such hour")
        hour = str(int(hour) % 12 + (12 if half in "pP" else 0))
    return f"T{hour:0>2}:{minute}{seconds or ':00'}{zone or ''}"


@lru_cache(maxsize=200)
def date_format(text: str) -> DateFormat:
    """Returns the format that a text such as `DD.MM.YYYY` describes. Raises ValueError where it is none."""
    sign = next((sign for sign in _SIGNS if sign in text), "")
    parts = text.split(sign) if sign else _tokens(text)
    if len(parts) != 3 or {part[:1] for part in parts} != set("DMY") or not all(part in _TOKENS for part in parts):
        raise ValueError("must be a date's format, such as DD.MM.YYYY, MM/DD/YYYY or YYYYMMDD")
    if not sign and any(len(part) == 1 for part in parts):
        raise ValueError("must have two digits for day and month where no sign stands between")
    first, second, third = parts
    return DateFormat((first, second, third), sign)


def _tokens(text: str) -> list[str]:
    """Returns the runs of equal letters."""
    found: list[str] = []
    for letter in text:
        if found and found[-1][0] == letter:
            found[-1] += letter
        else:
            found.append(letter)
    return found


def read_serial(text: str, zone: tzinfo = UTC, *, since_1904: bool = False) -> Number:
    """Returns the unix seconds of a number of days as Excel keeps moments, to the millisecond, in `zone`.

    Raises UnreadableValueError for what Excel knows no day for.
    """
    days = read_number(text)
    if not 1 <= days < _LAST_SERIAL or (not since_1904 and _NO_DAY <= days < _NO_DAY + 1):
        raise UnreadableValueError("is no day of Excel")
    if since_1904:
        start = datetime(1904, 1, 1, tzinfo=zone)
    else:
        start = datetime(1899, 12, 31 if days < _NO_DAY else 30, tzinfo=zone)
    return seconds_at(start + timedelta(milliseconds=round(days * 86_400_000)), zone)
