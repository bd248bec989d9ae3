"""The values that rules hold: numbers, durations and moments, in the form that both readings compare.

Numbers stand as profiles keep them. `jsonb` keeps a float as the decimal its shortest repr writes, so an integral float
beyond 64 bits has two values: Python's, and the integer its repr writes. `exact` gives the second one, the database's.
All other kept numbers compare natively as their decimals do: shortest reprs keep the order of floats, and that of a
float which is not integral never reaches an integer.

A moment is unix milliseconds (int); attributes hold unix seconds. A moment given in seconds may be finer than a
millisecond; it is rounded *up*, which changes no answer: `now` is a whole millisecond, and `t <= now` as well as
`t > now` hold for t exactly when they hold for t rounded up.
"""

import math
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

from core.days import DAY_MS, calendar_of, day_number
from core.patterns import whole
from core.time_zones import DEFAULT, time_zone
from core.values.numbers import HIGHEST, LOWEST, Number, kept


def canonical_number(value: Number) -> Number:
    """Returns the form in which profiles keep a number. Raises `ValueError` for NaN, infinities and integers that data
    may not hold either: those beyond 64 bits.
    """
    if isinstance(value, int) and not LOWEST <= value <= HIGHEST:
        raise ValueError("an integer beyond 64 bits")
    if not math.isfinite(value):
        raise ValueError("not a finite number")
    return kept(value)


def exact(value: Number) -> Number:
    """Returns the value as the database compares it: an integral float is the integer its repr writes."""
    if isinstance(value, float) and value.is_integer():
        return int(Decimal(repr(value)))
    return value


END_OF_TIME_MS = 253_402_300_800_000
"""The end of the year 9999, where Python's calendar ends: no change is announced for later."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS_MS = (604_800_000, DAY_MS, 3_600_000, 60_000, 1_000)
_AMOUNT = r"(\d{1,9}+(?:[.,]\d{1,9}+)?+)"
_DURATION = whole(rf"P(?:{_AMOUNT}W)?(?:{_AMOUNT}D)?(?:T(?:{_AMOUNT}H)?(?:{_AMOUNT}M)?(?:{_AMOUNT}S)?)?")
_TIMESTAMP = whole(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,6}+)?+)?+(?:Z|[+-]\d\d:?\d\d)?+)?+")


def parse_duration(text: str) -> int:
    """Returns the milliseconds of an ISO 8601 duration of weeks, days, hours, minutes and seconds, each optional, the
    last one with a fraction; a day is 86,400 s. ValueError where it is none, or not above zero.
    """
    if text.startswith("P") and not {"Y", "M"}.isdisjoint(text.partition("T")[0]):
        raise ValueError("years and months have no fixed length: use weeks or days")
    found = _DURATION(text)
    if found is None or text.endswith(("P", "T")):
        raise ValueError("must be an ISO 8601 duration such as P30D or PT30M")
    amounts = [amount.replace(",", ".") if amount else "" for amount in found.groups()]
    if any("." in amount for amount in [amount for amount in amounts if amount][:-1]):
        raise ValueError("only the last part of a duration may have a fraction")
    length = sum(Decimal(amount or 0) * unit for amount, unit in zip(amounts, _UNITS_MS, strict=True))
    if length <= 0 or length != int(length):
        raise ValueError("must be longer than zero and in whole milliseconds")
    return int(length)


def parse_timestamp(text: str, zone: Callable[[], str] = lambda: DEFAULT) -> Number:
    """Returns the unix seconds of an ISO 8601 date, or date and time. Int where whole. ValueError where it is none.

    `zone` is asked for the name of the zone that is meant where the text names none. A date is its first moment there.
    """
    if not _TIMESTAMP(text):
        raise ValueError("must be unix seconds or an ISO 8601 timestamp such as 2024-02-29T12:00:00Z")
    try:
        moment = datetime.fromisoformat(text.replace(",", "."))
    except ValueError as error:
        raise ValueError(f"must be a timestamp that exists: {error}") from error
    if moment.tzinfo is None:
        moment = _in_zone(moment, zone())
    micros = (moment - _EPOCH) // timedelta(microseconds=1)
    return micros // 1_000_000 if micros % 1_000_000 == 0 else micros / 1_000_000


def _in_zone(clock: datetime, zone: str) -> datetime:
    """Returns the moment at which a clock in the zone first shows this; a time of day that it leaves out is as much
    later. A day begins as calendars say.
    """
    if zone == DEFAULT:
        return clock.replace(tzinfo=UTC)
    if clock.time() == time.min:
        return _EPOCH + timedelta(milliseconds=calendar_of(zone).start_of(day_number(clock.date())))
    return clock.replace(tzinfo=time_zone(zone))


def timestamp_text(seconds: Number, zone: str = DEFAULT) -> str:
    """Returns unix seconds as ISO 8601, with the zone's offset; the number itself where no calendar reaches."""
    try:
        moment = _EPOCH + timedelta(seconds=seconds)
        return (moment if zone == DEFAULT else moment.astimezone(time_zone(zone))).isoformat().replace("+00:00", "Z")
    except (OverflowError, ValueError):
        return repr(seconds)


def seconds_to_ms(seconds: Number) -> int:
    """Unix seconds as milliseconds, rounded up, without float arithmetic."""
    if isinstance(seconds, int):
        return seconds * 1000
    return math.ceil(Decimal(repr(seconds)) * 1000)


def seconds_to_whole_ms(seconds: Number) -> int:
    """The same, rounded down: so a moment stays in its day."""
    return seconds * 1000 if isinstance(seconds, int) else math.floor(Decimal(repr(seconds)) * 1000)


def seconds_text(moment_ms: int) -> str:
    """Milliseconds as the exact decimal of their seconds."""
    return str(Decimal(moment_ms).scaleb(-3))


def announced(moment_ms: int) -> int | None:
    """A moment of change as a verdict carries it: none where it lies beyond the end of time."""
    return moment_ms if moment_ms < END_OF_TIME_MS else None
