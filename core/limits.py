"""The bounds of what a request may carry and a profile may hold: sizes, depth, time, and which ids can be kept."""

from dataclasses import dataclass

from core.patterns import has_control


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """Bytes, levels and seconds; the defaults are the contract's."""

    body_bytes: int = 256 * 1024
    data_depth: int = 32
    id_bytes: int = 256
    dimension_bytes: int = 2048
    body_seconds: float = 10.0


@dataclass(frozen=True, slots=True)
class DataCaps:
    """How much data of one event is used, and how much one profile holds, in attributes (top-level keys) and bytes.

    What is beyond is set aside as a bad row and counted, never refused: the sender has got its answer by then.
    """

    event_attributes: int = 2_000
    event_bytes: int = 256 * 1024
    profile_attributes: int = 2_000
    profile_bytes: int = 512 * 1024


@dataclass(frozen=True, slots=True)
class SuspectLimits:
    """How many different browsers one id may name within a minute, or a day, before it is suspect."""

    per_minute: int = 3
    per_day: int = 10


def is_sound_id(value: str, limit: int) -> bool:
    """Whether an id can be stored and sent on: at most `limit` bytes, no control characters."""
    if len(value) > limit or (not value.isascii() and len(value.encode()) > limit):
        return False
    return value.isalnum() or not has_control(value)
