"""Customers that flood the inbox: the rows of others do not wait behind theirs.

A batch that is large says that rows come faster than they are absorbed. Where one customer has far more of it than its
share, it floods. As long as somebody does, each round begins with the rows of the others, wherever they lie (the queue
OTHERS): looks pass over the rows of who floods, and marks let the next look begin behind them. Then come rows of who
floods, few at a time where others share the hub. So in each bucket, the rows of each customer are absorbed in the order
in which they came, and no row is moved.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from pipeline.absorb.rows import BEFORE_CUSTOMER, SENT, InboxRow

MANY = 250
"""A batch of so many rows may show a flood."""
BESIDE, LEAST_BESIDE = 200, 16
"""So many rows of those who flood are absorbed at once, where others share the hub: the most, and the least."""
BESIDE_SECONDS = 0.06
"""So long that may take: the rows of others wait for it."""
RECENT_SECONDS = 10.0
"""So long a customer counts among those who share the hub after a row of it was seen."""
TIMES_SHARE = 1.5
"""So many times its share a customer may have of a large batch: what comes by chance floods nobody."""
PATIENCE_SECONDS = 0.5
"""So long more may come than is absorbed, beside others, before whoever floods is to be slowed down."""

_FIRST_DIGIT = len(BEFORE_CUSTOMER)


def customer_of(row: InboxRow) -> int | None:
    """Returns who sent a row, without decoding it; None for a message between buckets."""
    if row.kind not in SENT or not row.query.startswith(BEFORE_CUSTOMER):
        return None
    number = row.query[_FIRST_DIGIT : row.query.find(b",", _FIRST_DIGIT)]
    return int(number) if number.isdigit() else None


class Taken(NamedTuple):
    """A batch that was taken off the inbox. `is_full`: as many rows as it could have; `of_all`: nobody's rows were
    passed over.
    """

    rows: list[InboxRow]
    is_full: bool
    of_all: bool


class Flood:
    """What one absorber knows of who shares the hub, and who floods it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: dict[int, float] = {}
        self._heavy: dict[int, float] = {}
        self._since = 0.0
        self._beside = BESIDE

    @property
    def customers(self) -> frozenset[int]:
        """Who floods now."""
        return frozenset(self._heavy)

    @property
    def is_shared(self) -> bool:
        """Whether several customers had rows lately, as far as was looked."""
        oldest = self._clock() - RECENT_SECONDS
        return sum(at >= oldest for at in self._seen.values()) > 1

    @property
    def lasts(self) -> bool:
        """Whether somebody has flooded for a while what others share: more comes than is absorbed."""
        return bool(self._heavy) and self.is_shared and self._clock() - self._since >= PATIENCE_SECONDS

    @contextmanager
    def beside(self) -> Iterator[int]:
        """Gives the block how many rows of those who flood it may absorb, and learns from how long it takes."""
        began = self._clock()
        yield self._beside
        took = max(self._clock() - began, 1e-3)
        self._beside = max(LEAST_BESIDE, min(BESIDE, int(self._beside * min(2.0, BESIDE_SECONDS / took))))

    def note(self, taken: Taken, has_others: Callable[[], bool]) -> None:
        """Learn from a batch who floods. Nobody does any more once a batch has room for more.

        `has_others`: whether the hub has several customers. Who is the only one floods nobody.
        """
        is_large, fills = len(taken.rows) >= MANY, taken.is_full and taken.of_all
        if taken.of_all and not (is_large or fills):
            self._heavy.clear()
        elif is_large or self._heavy:
            found = Counter(owner for owner in map(customer_of, taken.rows) if owner is not None)
            self._see(found)
            if is_large or fills:
                self._count_heavy(self._heavy_in(found, has_others))

    def _see(self, customers: Iterable[int]) -> None:
        now = self._clock()
        self._seen |= dict.fromkeys(customers, now)
        self._seen = {customer: at for customer, at in self._seen.items() if at >= now - RECENT_SECONDS}

    def _heavy_in(self, found: Mapping[int, int], has_others: Callable[[], bool]) -> set[int]:
        """Returns who has far more rows of a batch than its share. Who is alone there may not be a moment later."""
        sharers = len(self._seen)
        if sharers == 1 and has_others():
            sharers = 2
        most = TIMES_SHARE * sum(found.values()) / max(1, sharers)
        return {customer for customer, rows in found.items() if rows > most}

    def _count_heavy(self, heavy: Iterable[int]) -> None:
        now = self._clock()
        if not self._heavy:
            self._since = now
        self._heavy |= dict.fromkeys(heavy, now)
        self._heavy = {customer: at for customer, at in self._heavy.items() if at >= now - RECENT_SECONDS}
