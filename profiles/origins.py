"""What a value was before a conversion changed it, so that another type starts from what came.

It stands beside the time of the attribute in a profile's `times` (`profiles.state`), as `[event's time, receipt,
origins]`: so it belongs to the value that was set then, and goes when a newer value comes, wherever the profile is
merged to.

`origins` are that of the attribute's own value, or an object with those of values inside it, by their paths. One
origin is either the name of a type, to which converting the value gives what came; or a list that holds what came.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

Origin = str | list[Any]
Origins = Origin | dict[str, Origin]

LONGEST_ORIGIN = 16 * 1024
"""Bytes of what came, where it has to be kept. A longer value is not converted: profiles have caps."""

NO_ORIGINS: Mapping[str, Origins] = {}

_PREFIX = "a:"
_AT = 2  # the place in a time, behind when the value was set and when it was received


def origins_in(times: Mapping[str, Any]) -> dict[str, Origins]:
    """Returns the origins of a profile's attributes, by their names."""
    return {
        key.removeprefix(_PREFIX): time[_AT]
        for key, time in times.items()
        if type(time) is list and len(time) > _AT and key.startswith(_PREFIX)
    }


def put_origins(times: dict[str, Any], name: str, origins: Origins | None) -> None:
    """Note the origins of an attribute, or that it has none."""
    key = _PREFIX + name
    time = times.get(key, 0)
    at, received = (time, time) if isinstance(time, int | float) else time[:_AT]
    if origins:
        times[key] = [at, received, origins]
    else:
        times[key] = at if at == received else [at, received]


def is_too_long(origin: Origin) -> bool:
    return isinstance(origin, list) and len(msgspec.json.encode(origin)) > LONGEST_ORIGIN
