"""Moments as unix seconds: from numbers, whose unit is seen from their size, and from ISO 8601.

| a number, whatever its sign | is in        | that is            |
|-----------------------------|--------------|--------------------|
| below 10¹¹                  | seconds      | up to 5138         |
| from 10¹¹ to below 10¹³     | milliseconds | from 1973 to 2286  |
| from 10¹⁴ to below 10¹⁶     | microseconds | from 1973 to 2286  |
| from 10¹⁷ to below 10¹⁹     | nanoseconds  | from 1973 to 2286  |

The last day of the year 9999 is also known in seconds and milliseconds: it stands for “never”. Any other number is no
moment: 20240309120000, for example, is no time that somebody sent in milliseconds. Where a number changes its unit,
what is finer than a microsecond is cut off.
"""

from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal

from core.patterns import whole
from core.values.errors import UnreadableValueError
from core.values.numbers import BLANKS, Number, kept, read_number

SECONDS_BELOW = 10**11
MICROSECONDS_OF: tuple[tuple[int, int, Decimal], ...] = (
    (10**11, 10**13, Decimal(1_000)),
    (10**14, 10**16, Decimal(1)),
    (10**17, 10**19, Decimal("0.001")),
)
"""From and below which size, and how many microseconds the unit has."""

LAST_DAY = 253_402_214_400, 253_402_300_800
"""The unix seconds of 9999-12-31 in UTC."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_CLOCK = r"[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]{1,9}+)?+)?+"
_OFFSET = r"(?: ?+(?:Z|UTC|[+-][0-9]{2}(?::?+[0-9]{2})?+))?+"
_EXTENDED = whole(rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}(?:[T ]{_CLOCK}{_OFFSET})?+")
_BASIC = whole(rf"[0-9]{{8}}(?:T[0-9]{{4}}(?:[0-9]{{2}}(?:[.,][0-9]{{1,9}}+)?+)?+{_OFFSET})?+")
_LONGEST = 64


def read_moment(text: str, zone: tzinfo = UTC) -> Number:
    """Returns the unix seconds of ISO 8601, or of a number. Raises UnreadableValueError.

    A date is its midnight. What names no zone is in `zone`. Eight digits are a date: 20240309.
    """
    text = text.strip(BLANKS)
    if is_iso(text):
        return read_iso(text, zone)
    try:
        return seconds_of(read_number(text))
    except UnreadableValueError:
        raise UnreadableValueError("is no moment: neither ISO 8601 nor a unix time") from None


def is_iso(text: str) -> bool:
    """Whether the text has the form of a date, or of a date and time, of ISO 8601."""
    return len(text) <= _LONGEST and (_EXTENDED(text) or _BASIC(text)) is not None


def read_iso(text: str, zone: tzinfo = UTC) -> Number:
    """Returns the unix seconds of a text for which `is_iso` holds. Raises UnreadableValueError."""
    plain = text.replace(",", ".").replace("UTC", "Z")
    if len(plain) > len("2024-03-09 "):
        plain = plain[:11] + plain[11:].replace(" ", "")
    try:
        return seconds_at(datetime.fromisoformat(plain), zone)
    except ValueError:
        raise UnreadableValueError("is no moment: there is no such day or time") from None


def seconds_at(moment: datetime, zone: tzinfo = UTC) -> Number:
    """Returns unix seconds, exact to the microsecond. A moment that names no zone is in `zone`.

    Of an hour that occurs twice, because clocks are set back, it is the first. A time that clocks skip is as much
    later as they skip.
    """
    zoned = moment if moment.tzinfo else moment.replace(tzinfo=zone)
    try:
        return _of_microseconds((zoned - _EPOCH) // _MICROSECOND)
    except OverflowError:
        raise UnreadableValueError("is no moment: it is beyond the calendar") from None


def seconds_of(number: Number) -> Number:
    """Returns the unix seconds of a number, whose unit is seen from its size. Raises UnreadableValueError."""
    size = abs(number)
    if size < SECONDS_BELOW or LAST_DAY[0] <= number < LAST_DAY[1]:
        return kept(number)
    if LAST_DAY[0] * 1000 <= number < LAST_DAY[1] * 1000:
        return _of_microseconds(_scaled(number, Decimal(1_000)))
    for least, below, unit in MICROSECONDS_OF:
        if least <= size < below:
            return _of_microseconds(_scaled(number, unit))
    raise UnreadableValueError("is no moment: no unix time is so large")


def _scaled(number: Number, unit: Decimal) -> int:
    """Returns whole microseconds, the rest cut off."""
    return int((Decimal(repr(number)) * unit) // 1)


def _of_microseconds(count: int) -> Number:
    return count // 1_000_000 if count % 1_000_000 == 0 else count / 1_000_000
