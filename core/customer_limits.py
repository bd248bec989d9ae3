"""What one customer may use of the hub, so that nobody holds up another: defaults, and a customer's own limits.

No Django here: the edge reads these limits too.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

MOST = 10**12


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerLimits:
    """Of one customer, in the whole hub. The names are those of `customer.limits` and of the API.

    `events_per_second`, `bytes_per_second`: requests and lines of batches beyond are refused as `over-quota`.
    `body_bytes`: of bodies that are still arriving. `requests_per_minute`: of each API key. `estimates`: at once.
    """

    events_per_second: int = 20_000
    bytes_per_second: int = 64 * 1024 * 1024
    body_bytes: int = 32 * 1024 * 1024
    requests_per_minute: int = 1_200
    estimates: int = 2

    def replaced(self, given: Mapping[str, int]) -> "CustomerLimits":
        """Returns these limits with those that are given in their place."""
        return replace(self, **given)


NAMES = tuple(one.name for one in fields(CustomerLimits))


def fault_of(name: object, value: object) -> str:
    """Returns why this cannot be a limit; empty where it can."""
    if name not in NAMES:
        return f"there are {', '.join(NAMES)}"
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST:
        return f"must be a whole number from 1 to {MOST}"
    return ""


def limits_in(stored: object) -> dict[str, int]:
    """Returns what of a stored value can be limits; the rest is passed over."""
    given = stored if isinstance(stored, dict) else {}
    return {name: value for name, value in given.items() if not fault_of(name, value)}
