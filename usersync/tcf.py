"""Reads what a TCF v2 string (IAB Europe's Transparency & Consent Framework) allows us. Pure.

No package does it, because those that exist read beyond the end of a string, where every bit is a yes, and a string of
forty characters keeps them busy for forty milliseconds.
"""

from functools import lru_cache

from usersync.bits import Bits, UnreadableSignalError

VERSION = 2
STORE_AND_ACCESS = 1
"""The purpose “store and/or access information on a device”."""

_NOT_ALLOWED = 0  # restriction type: the publisher rules the purpose out, whatever the person said
_NOBODY = 0  # no vendor has this id


@lru_cache(maxsize=1024)
def allows(text: str, vendor: int | None) -> bool:
    """Whether purpose 1 is consented to, and the vendor (where there is one) with it. Raises UnreadableSignalError."""
    core = Bits(text.partition(".")[0])
    if core.number(6) != VERSION:
        raise UnreadableSignalError
    core.take(36 + 36 + 12 + 12 + 6 + 12 + 12 + 6 + 1 + 1 + 12)  # … up to the special features
    purposes = core.take(24)
    core.take(24 + 1 + 12)  # legitimate interests, purpose one treatment, publisher's country
    asked = _NOBODY if vendor is None else vendor
    consented = _names(core, asked)
    _names(core, asked)  # by legitimate interest, which purpose 1 knows none of
    restricted = _restricted(core, asked)
    return purposes[STORE_AND_ACCESS - 1] == "1" and (vendor is None or consented) and not restricted


def _names(core: Bits, vendor: int) -> bool:
    """Whether the vendor is in the section that follows."""
    highest = core.number(16)
    if core.flag():
        return _in_ranges(core, vendor)
    vendors = core.take(highest)
    return 0 < vendor <= highest and vendors[vendor - 1] == "1"


def _in_ranges(core: Bits, vendor: int) -> bool:
    found = False
    for _ in range(core.number(12)):
        is_range = core.flag()
        first = core.number(16)
        last = core.number(16) if is_range else first
        found = found or first <= vendor <= last
    return found


def _restricted(core: Bits, vendor: int) -> bool:
    found = False
    for _ in range(core.number(12)):
        purpose, kind = core.number(6), core.number(2)
        named = _in_ranges(core, vendor)
        found = found or (named and purpose == STORE_AND_ACCESS and kind == _NOT_ALLOWED)
    return found
