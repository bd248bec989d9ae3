"""Where looks at the inbox begin: behind the ids whose rows are all absorbed.

Ids come from one sequence, but their rows become visible when their transactions end, which is not in the order of the
ids. An id is *settled* once its row is visible, or will never be. `InboxMarks` finds the highest settled id so:

1. It reads the last id that the sequence gave out: the candidate.
2. Then it reads which transactions may write to the inbox. A transaction locks the table before it takes its first id
   and until it ends, so every id up to the candidate belongs to one of these, or to one that has ended.
3. When none of these transactions is left, every id up to the candidate is settled.

The snapshot of a long report or dump does not delay this, because it does not write. `pg_current_snapshot()` would not
do in place of the locks: a transaction takes its first id before it is given a transaction id.

The sequence must not hand out ids in advance to sessions (`CACHE 1`, the default).
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from psycopg import Cursor

from core.arrays import Texts
from core.inbox import InboxQueue
from core.low_water import LOWEST, LowWaterMarks

LAST_ID = "SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END FROM inbox_id_seq"
WRITERS = """
SELECT virtualtransaction FROM pg_locks
WHERE locktype = 'relation' AND relation = 'inbox'::regclass AND mode = 'RowExclusiveLock' AND granted
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""

EVERY_SECONDS = 0.2
SPREAD = 500  # ids: so many deleted rows at most are read in vain because several buckets share a statement


class InboxMarks:
    """The low-water marks of the inbox, as one connection knows them. Forget them with the connection: a database that
    was restored or has crashed may give out ids again.

    The queues of a bucket are absorbed independently of each other, so each has marks of its own. `passed_over`: the
    customers whose rows are not in the queue OTHERS.
    """

    __slots__ = ("_candidate", "_marks", "_next", "_settled", "_writers", "passed_over")

    def __init__(self) -> None:
        self._marks = {queue: LowWaterMarks(SPREAD) for queue in InboxQueue}
        self._settled = self._candidate = LOWEST
        self._writers: set[str] = set()
        self._next = 0.0
        self.passed_over = frozenset[int]()

    def pass_over(self, customers: frozenset[int]) -> None:
        """Leave the rows of these customers out of OTHERS from now on, and no others."""
        if self.passed_over - customers:  # rows of theirs lie below the marks
            self._marks[InboxQueue.OTHERS].forget()
        self.passed_over = customers

    def customers_of(self, queue: InboxQueue) -> list[Texts]:
        """Returns the parameter that looks at this queue have beside the others, if they have one."""
        return [Texts.of([str(one) for one in sorted(self.passed_over)])] if queue == InboxQueue.OTHERS else []

    def advance(self, cursor: Cursor[Any]) -> None:
        """Find out how far ids are settled, a few times a second. To be called before looks of this transaction, which
        must not have written to the inbox yet.
        """
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + EVERY_SECONDS
        last = cursor.execute(LAST_ID).fetchone()
        assert last is not None
        if last[0] < self._candidate:
            self._forget()  # the sequence was begun anew
        writers = {name for (name,) in cursor.execute(WRITERS)}
        if not self._writers & writers and not any(map(_is_prepared, writers)):
            self._settled = self._candidate if writers else last[0]
            self._candidate, self._writers = last[0], writers

    def runs(self, buckets: Iterable[int], *, queue: InboxQueue) -> list[tuple[int, list[int]]]:
        """Returns (mark, buckets) for each look, in the given order: in these buckets rows have ids above the mark."""
        return self._marks[queue].runs(buckets)

    def learn(self, looked_at: Sequence[int], first: Mapping[int, int], *, queue: InboxQueue, is_cut: bool) -> None:
        """Raise the marks after a look (see `LowWaterMarks.learn`). `first`: the lowest id found, by bucket."""
        self._marks[queue].learn(looked_at, first, self._settled, is_cut=is_cut)

    def _forget(self) -> None:
        self._settled = self._candidate = LOWEST
        self._writers = set()
        for marks in self._marks.values():
            marks.forget()


def _is_prepared(name: str) -> bool:
    """Whether it is a prepared transaction: the first phase of a commit has taken its former name away."""
    return name.startswith("-1/")
