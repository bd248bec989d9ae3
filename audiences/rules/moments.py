"""Durations and moments. A moment is unix milliseconds (int); attributes hold unix seconds.

A moment given in seconds may be finer than a millisecond; it is rounded *up*, which changes no answer:
`now` is a whole millisecond, and `t <= now` as well as `t > now` hold for t exactly when they hold for
t rounded up.
"""

import math
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from audiences.rules.numbers import Number

DAY_MS = 86_400_000
END_OF_TIME_MS = 253_402_300_800_000
"""The end of the year 9999, where Python's calendar ends: no change is announced for later."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS_MS = (604_800_000, DAY_MS, 3_600_000, 60_000, 1_000)
_AMOUNT = r"(\d{1,9}(?:[.,]\d{1,9})?)"
_DURATION = re.compile(rf"P(?:{_AMOUNT}W)?(?:{_AMOUNT}D)?(?:T(?:{_AMOUNT}H)?(?:{_AMOUNT}M)?(?:{_AMOUNT}S)?)?", re.ASCII)
_CALENDAR_UNITS = re.compile(r"P[^T]*\d[YM]")
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,6})?)?(?:Z|[+-]\d\d:?\d\d)?)?", re.ASCII)


def parse_duration(text: str) -> int:
    """Milliseconds of an ISO 8601 duration of weeks, days, hours, minutes and seconds, each optional, the
    last one with a fraction; a day is 86,400 s. ValueError where it is none, or not above zero.
    """
    if _CALENDAR_UNITS.match(text):
        raise ValueError("years and months have no fixed length: use weeks or days")
    found = _DURATION.fullmatch(text)
    if found is None or text.endswith(("P", "T")):
        raise ValueError("must be an ISO 8601 duration such as P30D or PT30M")
    amounts = [amount.replace(",", ".") if amount else "" for amount in found.groups()]
    if any("." in amount for amount in [amount for amount in amounts if amount][:-1]):
        raise ValueError("only the last part of a duration may have a fraction")
    length = sum(Decimal(amount or 0) * unit for amount, unit in zip(amounts, _UNITS_MS, strict=True))
    if length <= 0 or length != int(length):
        raise ValueError("must be longer than zero and in whole milliseconds")
    return int(length)


def parse_timestamp(text: str) -> Number:
    """Unix seconds of an ISO 8601 date, or date and time; UTC where it names no zone. Int where whole.
    ValueError where it is none.
    """
    if not _TIMESTAMP.fullmatch(text):
        raise ValueError("must be unix seconds or an ISO 8601 timestamp such as 2024-02-29T12:00:00Z")
    try:
        moment = datetime.fromisoformat(text.replace(",", "."))
    except ValueError as error:
        raise ValueError(f"must be a timestamp that exists: {error}") from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    micros = (moment - _EPOCH) // timedelta(microseconds=1)
    return micros // 1_000_000 if micros % 1_000_000 == 0 else micros / 1_000_000


def timestamp_text(seconds: Number) -> str:
    """ISO 8601 of unix seconds; the number itself where no calendar reaches."""
    try:
        return (_EPOCH + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")
    except OverflowError:
        return repr(seconds)


def seconds_to_ms(seconds: Number) -> int:
    """Unix seconds as milliseconds, rounded up, without float arithmetic."""
    if isinstance(seconds, int):
        return seconds * 1000
    return math.ceil(Decimal(repr(seconds)) * 1000)


def seconds_text(moment_ms: int) -> str:
    """Milliseconds as the exact decimal of their seconds."""
    return str(Decimal(moment_ms).scaleb(-3))


def announced(moment_ms: int) -> int | None:
    """A moment of change as a verdict carries it: none where it lies beyond the end of time."""
    return moment_ms if moment_ms < END_OF_TIME_MS else None
