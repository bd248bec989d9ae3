"""Up to which moment nothing is left to send in each bucket of a lane.

While a snapshot may still need them, PostgreSQL keeps the index entries of rows that were due and have been sent since
(`core.low_water`). Looks at what is due begin behind them, so a long report makes no request to a platform slower.

Rows that become due late, at a moment that was looked at already, are found by a full look every few seconds: rows of
long transactions and of machines whose clocks differ, and what a sender that died had in its hands.
"""

import time
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from core.buckets import BUCKETS
from core.clock import milliseconds, moment
from core.low_water import LOWEST, LowWaterMarks

SPREAD_MS = 2_000
MOST_LOOKS = 8  # statements in which a lane is looked at, where the marks of its buckets differ
FULL_LOOK_SECONDS = 5.0
MOST_KEPT = 4_096  # marks of that many lanes are a few MB
FULL_LOOK_SHARE = 20  # a full look may take one part in so many of the time
# How far back each look goes. It covers the usual transactions and clocks that differ a little.
SLACK = timedelta(seconds=5)


class DueLook(NamedTuple):
    """In these buckets, in ascending order, only rows that are due after `since` are left."""

    since: datetime
    buckets: list[int]


EVERYWHERE = DueLook(moment(LOWEST), list(range(BUCKETS)))


class DueMarks:
    """The marks of one lane, for one operation. Every holder of the lane in this process goes on with them."""

    __slots__ = ("_activations", "_began", "_full_look_at", "_is_full", "_latest", "_marks")

    def __init__(self) -> None:
        self._marks = LowWaterMarks(SPREAD_MS)
        self._activations: frozenset[int] = frozenset()
        self._latest = moment(0)
        self._full_look_at = self._began = 0.0
        self._is_full = False

    def looks(self, buckets: Sequence[int], now: datetime, activations: Collection[int] = ()) -> list[DueLook]:
        """Returns the looks, in order of the buckets. `activations`: those looked for; an added one is looked for from
        the beginning.
        """
        self._began = time.monotonic()
        self._is_full = self._began >= self._full_look_at
        if self._is_full or now < self._latest or not self._activations.issuperset(activations):
            self._marks.forget()
        self._activations, self._latest = frozenset(activations), now
        found = [DueLook(moment(mark), run) for mark, run in self._marks.runs(buckets)]
        if len(found) > MOST_LOOKS:
            return [DueLook(min(look.since for look in found), list(buckets))]
        return found

    def learn(self, look: DueLook, now: datetime, first: Mapping[int, datetime] | None = None) -> None:
        """Raise the marks after a look at what was due by `now`.

        `first`: the first bucket in which something was found, and the moment of its oldest row; None: nothing was.
        """
        keys = {bucket: milliseconds(at) for bucket, at in (first or {}).items()}
        self._marks.learn(look.buckets, keys, milliseconds(now - SLACK), is_cut=bool(keys))
        if self._is_full:
            took = time.monotonic() - self._began
            self._full_look_at = self._began + max(FULL_LOOK_SECONDS, FULL_LOOK_SHARE * took)


_marks: dict[tuple[int, int, bool | None], DueMarks] = {}


def marks_of(platform: int, lane: int, wanted: bool | None) -> DueMarks:
    """Returns this process's marks of the lane: of additions or removals, or of both for those who only ask."""
    if len(_marks) >= MOST_KEPT:
        _marks.clear()  # whoever works on uses what it has
    return _marks.setdefault((platform, lane, wanted), DueMarks())
