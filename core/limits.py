"""The bounds of what a request may carry."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """Bytes, levels and seconds; the defaults are the contract's."""

    body_bytes: int = 256 * 1024
    data_depth: int = 32
    id_bytes: int = 256
    dimension_bytes: int = 2048
    body_seconds: float = 10.0
