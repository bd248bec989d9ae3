"""The bounds of what a request may carry."""

from dataclasses import dataclass

NUL_AND_CONTROL = r"[\x00-\x1f\x7f-\x9f]"


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes, levels and seconds; the defaults are the contract's."""

    body_bytes: int = 256 * 1024
    data_depth: int = 32
    id_bytes: int = 256
    dimension_bytes: int = 2048
    body_seconds: float = 10.0
