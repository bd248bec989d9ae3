"""What each customer may use of this edge process: events and bytes a second, and bytes of bodies that are arriving.

Kept in memory, and lost with the process. Each of several edge processes allows its part of the customer's limits.
Rates are kept as a moment: up to when what was taken would have been taken at exactly the limit. Who is more than
`BURST_SECONDS` ahead of the clock has used up the share.
"""

import math
from collections.abc import Mapping
from time import monotonic

from core.customer_limits import CustomerLimits
from core.errors import OverQuotaError, UnavailableError

BURST_SECONDS = 1.0
LONGEST_WAIT = 60  # seconds that a sender is told to wait, at most
MOST_ARRIVING_BYTES = 256 * 1024 * 1024
"""Of bodies of all customers, so that what one may hold, many may not hold at once."""


class Share:
    """One customer's. `arriving`: bytes of bodies that are not here as a whole."""

    __slots__ = (
        *("_byte_seconds", "_bytes_at", "_event_seconds", "_events_at", "_most_arriving", "_shares"),
        *("arriving", "given"),
    )

    def __init__(self, shares: "Shares", given: Mapping[str, int]) -> None:
        self._shares = shares
        self._events_at = self._bytes_at = 0.0
        self.arriving = 0
        self.adopt(given)

    def adopt(self, given: Mapping[str, int]) -> None:
        """Take over the customer's own limits, as they are now."""
        self.given = given
        limits = self._shares.defaults.replaced(given)
        parts = self._shares.processes
        self._event_seconds = parts / limits.events_per_second
        self._byte_seconds = parts / limits.bytes_per_second
        self._most_arriving = limits.body_bytes // parts

    def take(self, size: int) -> None:
        """Take one event of so many bytes, its body apart. Raises OverQuotaError."""
        now = monotonic()
        events_at, bytes_at = max(self._events_at, now), max(self._bytes_at, now)
        ahead = max(events_at, bytes_at) - now
        if ahead > BURST_SECONDS:
            raise OverQuotaError(min(LONGEST_WAIT, math.ceil(ahead - BURST_SECONDS)))
        self._events_at = events_at + self._event_seconds
        self._bytes_at = bytes_at + size * self._byte_seconds

    def charge(self, *, events: int = 0, size: int = 0) -> None:
        """Count what a request turned out to hold: later ones are refused for it, not this one.

        What is announced only is not counted, or anybody could use up the customer's share with a few bytes.
        """
        self._events_at += events * self._event_seconds
        self._bytes_at += size * self._byte_seconds

    def hold(self, size: int) -> None:
        """Count so many bytes of a body that goes on arriving. Raises OverQuotaError, UnavailableError."""
        if self.arriving + size > self._most_arriving:
            raise OverQuotaError
        if self._shares.arriving + size > MOST_ARRIVING_BYTES:
            raise UnavailableError
        self.arriving += size
        self._shares.arriving += size

    def release(self, size: int) -> None:
        self.arriving -= size
        self._shares.arriving -= size


class Shares:
    """The shares of all customers. `defaults`: for those that have no limits of their own."""

    def __init__(self, defaults: CustomerLimits, processes: int = 1) -> None:
        self.defaults = defaults
        self.processes = processes
        self.arriving = 0
        self._of_customer: dict[int, Share] = {}

    def of(self, customer: int, given: Mapping[str, int]) -> Share:
        """Returns the customer's share. `given`: its own limits."""
        share = self._of_customer.get(customer)
        if share is None:
            share = self._of_customer[customer] = Share(self, given)
        elif share.given != given:
            share.adopt(given)
        return share
