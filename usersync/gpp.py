"""Reads GPP strings (IAB's Global Privacy Platform): which sections there are, and what those of the US say. Pure."""

from collections.abc import Mapping
from functools import lru_cache

from usersync.bits import MAX_CHARACTERS, Bits, UnreadableSignalError

TCF_EU = 2
US_PRIVACY = 6

_HEADER_TYPE = 3
_HEADER_VERSION = 1
_HIGHEST_SECTION = 200

_OPTED_OUT = 1
_NOT_OPTED_OUT = 2
_GPC_SEGMENT = 1

_LAYOUTS: Mapping[int, tuple[int, int]] = {
    7: (12, 3),  # national: sale, sharing, targeted advertising
    8: (6, 2),  # California: sale, sharing
    **dict.fromkeys([9, 10, 12, 13, 14, 15, 16, 17, 19, 20, 21, 22], (6, 2)),  # sale, targeted advertising
    **dict.fromkeys([11, 18], (8, 2)),  # Utah and Iowa, which give a notice more
}
"""By section: how many bits of notices stand between its version and its opt-outs, and how many opt-outs there are."""

_VERSIONS = {7: (1, 2)}


@lru_cache(maxsize=1024)
def sections(text: str) -> Mapping[int, str]:
    """Returns each section by its id, still encoded. Raises UnreadableSignalError."""
    if len(text) > MAX_CHARACTERS:
        raise UnreadableSignalError
    header, *bodies = text.split("~")
    ids = _ids(Bits(header))
    if len(ids) != len(bodies):
        raise UnreadableSignalError
    return dict(zip(ids, bodies, strict=True))


def _ids(header: Bits) -> list[int]:
    if header.number(6) != _HEADER_TYPE or header.number(6) != _HEADER_VERSION:
        raise UnreadableSignalError
    found: list[int] = []
    last = 0
    for _ in range(header.number(12)):
        is_range = header.flag()
        first = last + header.fibonacci()
        last = first + header.fibonacci() if is_range else first
        if last > _HIGHEST_SECTION:
            raise UnreadableSignalError
        found += range(first, last + 1)
    return found


def us_allows(section: int, text: str) -> bool | None:
    """Whether a section of the US leaves its person's data free to be passed on.

    False after an opt-out of sale, sharing or targeted advertising, or with the Global Privacy Control; None
    where none of them applies, and for sections that we cannot read. Raises UnreadableSignalError.
    """
    if section not in _LAYOUTS:
        return None
    core, *segments = text.split(".")
    if any(_has_gpc(Bits(segment)) for segment in segments):
        return False
    bits = Bits(core)
    if bits.number(6) not in _VERSIONS.get(section, (1,)):
        return None
    notices, opt_outs = _LAYOUTS[section]
    bits.take(notices)
    said = [bits.number(2) for _ in range(opt_outs)]
    if _OPTED_OUT in said:
        return False
    return True if _NOT_OPTED_OUT in said else None


def _has_gpc(segment: Bits) -> bool:
    return segment.number(2) == _GPC_SEGMENT and segment.flag()
