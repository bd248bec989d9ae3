"""The caps of an event and of a profile: what is beyond them is taken out, for the caller to set aside and count.

A profile is read and written as JSON text, and that is what a large one costs: sizes are bytes of that text. A profile
knows its size from being loaded. Each event adds what it brings at most, and only where that may be too much its values
are measured, never the whole profile for each event.
"""

from collections.abc import Callable
from typing import Any

from core.json_values import is_empty, may_hold_far_exponent, text_size
from core.limits import DataCaps
from profiles.messages import Content
from profiles.state import ProfileState, as_pair

EASY_BYTES = 64 * 1024
"""Below that size of a profile, events are not measured. It must hold what one batch adds to a usual profile."""
SMALL_BYTES = 256
"""An attribute up to that size, with its name, needs no room in a profile's bytes: junk must not keep it out."""
GROWTH = 2
"""How much longer than it was sent an event's data can become by conversion, at most: 1 becomes "1"."""
MOST_GROWTH = 64
"""The same of numbers with long exponents: the database spells out every digit of 1e308."""


def take_beyond_event(data: dict[str, Any], size: int, caps: DataCaps) -> dict[str, Any]:
    """Take out of an event's data what is beyond its caps, and return it. `size`: bytes of the data as they came."""
    if size <= caps.event_bytes and len(data) <= caps.event_attributes:
        return {}
    excess: dict[str, Any] = {}
    used = attributes = 0
    for name, value in data.items():
        needed = _size(name, value)
        if attributes < caps.event_attributes and used + needed <= caps.event_bytes:
            attributes, used = attributes + 1, used + needed
        else:
            excess[name] = value
    _take(excess, data)
    return excess


def take_beyond_profile(
    profile: ProfileState, values: dict[str, Any], body: bytes, time: tuple[float, float], caps: DataCaps
) -> dict[str, Any]:
    """Take out of an event's values those for which the profile has no room, and return them.

    `body`: the event's data as it came. `time`: its event time and receipt. To be called right before the rest is set.
    """
    if len(profile.attributes) + len(values) <= caps.profile_attributes and _fits_easily(profile, body, caps):
        return {}
    return _make_room(profile, values, lambda _: time, caps)


def take_beyond_winner(profile: ProfileState, content: Content, caps: DataCaps) -> dict[str, Any]:
    """Take out of a merged profile's attributes those for which the winner has no room, and return them."""
    times = content.times
    return _make_room(profile, content.attributes, lambda name: as_pair(times.get(f"a:{name}", 0)), caps)


def _fits_easily(profile: ProfileState, body: bytes, caps: DataCaps) -> bool:
    """Returns whether there is room for an event whatever it holds, and adds to the profile's size what it may bring.

    The profile is measured where it is small and many events have added to it.
    """
    easy, most = min(EASY_BYTES, caps.profile_bytes), MOST_GROWTH * len(body)
    if profile.attribute_bytes + most > easy:
        if profile.attribute_bytes <= easy and not profile.is_measured:
            _measure(profile)
        if not may_hold_far_exponent(body):
            most = GROWTH * len(body)
    if profile.attribute_bytes + most > easy:
        return False
    profile.attribute_bytes += most
    profile.is_measured = False
    return True


def _measure(profile: ProfileState) -> None:
    profile.attribute_bytes, profile.is_measured = text_size(profile.attributes), True


def _make_room(
    profile: ProfileState, values: dict[str, Any], time_of: Callable[[str], tuple[float, float]], caps: DataCaps
) -> dict[str, Any]:
    new = {
        name: value
        for name, value in values.items()
        if not is_empty(value) and profile.is_newer_attribute(name, value, time_of(name))
    }
    excess, size = _divide(profile, new, caps)
    if excess and not profile.is_measured:
        _measure(profile)
        excess, size = _divide(profile, new, caps)
    profile.attribute_bytes = size
    _take(excess, values)
    return excess


def _divide(profile: ProfileState, new: dict[str, Any], caps: DataCaps) -> tuple[dict[str, Any], int]:
    """Returns what has no room, and the size of the profile with the rest.

    A value may always be replaced by one that is not longer, also in a profile that is above its caps.
    """
    size, attributes = profile.attribute_bytes, len(profile.attributes)
    excess: dict[str, Any] = {}
    for name, value in new.items():
        known = name in profile.attributes
        needed = _size(name, value)
        growth = needed - _size(name, profile.attributes[name]) if known else needed
        fits = growth <= 0 or needed <= SMALL_BYTES or size + growth <= caps.profile_bytes
        if fits and (known or attributes < caps.profile_attributes):
            size, attributes = size + growth, attributes + (not known)
        else:
            excess[name] = value
    return excess, size


def _size(name: str, value: Any) -> int:
    """Returns the bytes that an attribute takes in the text of an object."""
    return text_size(name) + text_size(value) + 2


def _take(excess: dict[str, Any], values: dict[str, Any]) -> None:
    for name in excess:
        del values[name]
