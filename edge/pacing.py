"""Slows down customers that flood the hub, as long as those who absorb say so.

The pace of a customer falls while it is said, and rises again when it is not: so it settles at what is absorbed beside
the events of others. Nobody who sends less than `LEAST_PER_SECOND` is slowed down.
"""

from time import monotonic

from core.flood_sign import FloodSign
from edge.shares import Share, Shares

LEAST_PER_SECOND = 1_000
"""Of the customer in the whole hub: no pace is lower."""

# each time that the sign is looked for
SLOWER, FASTER = 0.7, 1.03
FREE = 3
"""A customer whose pace is so many times what it sends is free again."""


class Pacer:
    """Sets the paces of one edge process. `look` is called several times a second, in another thread than requests are
    handled in.
    """

    def __init__(self, shares: Shares, sign: FloodSign) -> None:
        self._shares = shares
        self._sign = sign
        self._least = LEAST_PER_SECOND / shares.processes
        self._looked_at = monotonic()
        self._paced: set[Share] = set()

    def look(self) -> None:
        """Ask whether customers that send much flood the hub. Never raises."""
        now = monotonic()
        seconds, self._looked_at = max(now - self._looked_at, 1e-3), now
        rates = {share: events / seconds for share, events in self._shares.take_sent().items()}
        asked = self._paced | {share for share, rate in rates.items() if rate > self._least}
        flooding = self._sign.shown({share.customer for share in asked})
        for share in asked:
            share.pace = self._pace(share.pace, rates.get(share, 0.0), is_flood=share.customer in flooding)
        self._paced = {share for share in asked if share.pace is not None}

    def _pace(self, pace: float | None, rate: float, *, is_flood: bool) -> float | None:
        """Returns the next pace of a customer that sends at this rate."""
        if is_flood:
            return max(self._least, SLOWER * min(rate, pace or rate))
        if pace is None or pace * FASTER > FREE * max(self._least, rate):
            return None
        return pace * FASTER
