"""Time zones by their IANA names, such as Europe/Berlin: those of customers.

No Django here: rules and workers read it too.
"""

from datetime import UTC, tzinfo
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

DEFAULT = "UTC"
LONGEST_NAME = 64  # the longest that there is has 32 characters
_NO_PLACES = frozenset({"Factory", "localtime", "posixrules"})


class UnknownTimeZoneError(ValueError):
    """There is no time zone of this name, or this machine's data does not know it."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no time zone that this machine knows: {name[:LONGEST_NAME]!r}")


@cache
def time_zone_names() -> tuple[str, ...]:
    """Returns the names of all time zones in alphabetical order, UTC among them."""
    return tuple(sorted((available_timezones() | {DEFAULT}) - _NO_PLACES))


@cache
def _known_names() -> frozenset[str]:
    return frozenset(time_zone_names())


def time_zone_fault(name: str) -> str:
    """Returns why this is no time zone; empty where it is one."""
    return "" if name in _known_names() else "must be the IANA name of a time zone, such as Europe/Berlin"


@cache
def _zone_file(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def time_zone(name: str) -> tzinfo:
    """Returns the time zone of this name. Raises UnknownTimeZoneError. UTC needs no data of the machine."""
    if name == DEFAULT:
        return UTC
    if name not in _known_names():
        raise UnknownTimeZoneError(name)
    try:
        return _zone_file(name)
    except (ZoneInfoNotFoundError, OSError) as error:
        raise UnknownTimeZoneError(name) from error
