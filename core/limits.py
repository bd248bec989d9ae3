"""The bounds of what a request may carry: sizes, depth, time, and which ids can be kept."""

import re
from dataclasses import dataclass

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """Bytes, levels and seconds; the defaults are the contract's."""

    body_bytes: int = 256 * 1024
    data_depth: int = 32
    id_bytes: int = 256
    dimension_bytes: int = 2048
    body_seconds: float = 10.0


def is_sound_id(value: str, limit: int) -> bool:
    """Whether an id can be stored and sent on: at most `limit` bytes, no control characters."""
    if len(value) > limit or (not value.isascii() and len(value.encode()) > limit):
        return False
    return value.isalnum() or _CONTROL.search(value) is None
