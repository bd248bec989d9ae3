"""What each customer may use of this edge process: events and bytes a second, and bytes of bodies that are arriving.

Kept in memory, and lost with the process. Each of several edge processes allows its part of the customer's limits.
Rates are kept as a moment: up to when what was taken would have been taken at exactly the limit. Who is more than
`BURST_SECONDS` ahead of the clock has used up the share.

A customer that floods the hub has a *pace* (`edge.pacing`): its events wait for their turn, up to a second, and are
refused beyond that. Refusals wait as well, once there are many: who repeats them at once shall not keep the edge busy.
"""

import asyncio
import math
from collections.abc import Mapping
from time import monotonic

from core.customer_limits import CustomerLimits
from core.errors import OverQuotaError, UnavailableError

BURST_SECONDS = 1.0
LONGEST_WAIT = 60  # seconds that a sender is told to wait, at most
LONGEST_TURN = 1.0  # seconds that a request waits for its turn, or for its refusal
LONGEST_CHUNK_TURN = 0.2  # seconds that a few lines of a batch wait
REFUSALS_PER_SECOND = 100  # of a customer; beyond, they wait
MOST_ARRIVING_BYTES = 256 * 1024 * 1024
"""Of bodies of all customers, so that what one may hold, many may not hold at once."""


class Share:
    """One customer's. `arriving`: bytes of bodies that are not here as a whole. `pace`: how many events a second have
    their turn; None: all at once.
    """

    __slots__ = (
        *("_byte_seconds", "_bytes_at", "_event_seconds", "_events_at", "_most_arriving", "_refused_at", "_shares"),
        *("_turn_at", "arriving", "customer", "given", "pace"),
    )

    def __init__(self, shares: "Shares", customer: int, given: Mapping[str, int]) -> None:
        self._shares = shares
        self.customer = customer
        self._events_at = self._bytes_at = self._turn_at = self._refused_at = 0.0
        self.arriving = 0
        self.pace: float | None = None
        self.adopt(given)

    def adopt(self, given: Mapping[str, int]) -> None:
        """Take over the customer's own limits, as they are now."""
        self.given = given
        limits = self._shares.defaults.replaced(given)
        parts = self._shares.processes
        self._event_seconds = parts / limits.events_per_second
        self._byte_seconds = parts / limits.bytes_per_second
        self._most_arriving = limits.body_bytes // parts

    async def enter(self, size: int) -> None:
        """Take one event of so many bytes, its body apart, and wait for its turn. Raises OverQuotaError."""
        try:
            self.take(size)
            pace = self.pace
            if pace is not None:
                await self._turn(pace)
        except OverQuotaError:
            await self._hold_refusal()
            raise

    def take(self, size: int) -> None:
        """Take one event of so many bytes, its body apart, whose turn it is at once. Raises OverQuotaError."""
        now = monotonic()
        events_at, bytes_at = max(self._events_at, now), max(self._bytes_at, now)
        ahead = max(events_at, bytes_at) - now
        if ahead > BURST_SECONDS:
            raise OverQuotaError(min(LONGEST_WAIT, math.ceil(ahead - BURST_SECONDS)))
        self._events_at = events_at + self._event_seconds
        self._bytes_at = bytes_at + size * self._byte_seconds
        self._shares.count(self, 1)

    async def _turn(self, pace: float) -> None:
        now = monotonic()
        wait = max(self._turn_at - now, 0.0)
        if wait > LONGEST_TURN:
            raise OverQuotaError(math.ceil(wait))
        self._turn_at = now + wait + 1 / pace
        if wait:
            await asyncio.sleep(wait)

    async def turn_of_lines(self, lines: int) -> None:
        """Wait until it is the turn of so many lines of a batch, but not long: the batch was let through."""
        pace = self.pace
        if pace is not None:
            now = monotonic()
            wait = min(max(self._turn_at - now, 0.0), LONGEST_CHUNK_TURN)
            self._turn_at = now + wait + lines / pace
            await asyncio.sleep(wait)

    async def _hold_refusal(self) -> None:
        now = monotonic()
        self._refused_at = max(self._refused_at, now - BURST_SECONDS) + 1 / REFUSALS_PER_SECOND
        if self._refused_at > now:
            await asyncio.sleep(min(self._refused_at - now, LONGEST_TURN))

    def charge(self, *, events: int = 0, size: int = 0) -> None:
        """Count what a request turned out to hold: later ones are refused for it, not this one.

        What is announced only is not counted, or anybody could use up the customer's share with a few bytes.
        """
        self._shares.count(self, events)
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
        self._sent: dict[Share, int] = {}

    def count(self, share: Share, events: int) -> None:
        """Count events that were let through."""
        self._sent[share] = self._sent.get(share, 0) + events

    def take_sent(self) -> dict[Share, int]:
        """Returns how many events were let through since the last call, by share. May be called in another thread; what
        is let through just then may be counted in neither call.
        """
        sent, self._sent = self._sent, {}
        return sent

    def of(self, customer: int, given: Mapping[str, int]) -> Share:
        """Returns the customer's share. `given`: its own limits."""
        share = self._of_customer.get(customer)
        if share is None:
            share = self._of_customer[customer] = Share(self, customer, given)
        elif share.given != given:
            share.adopt(given)
        return share
