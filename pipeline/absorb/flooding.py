"""Customers that flood the inbox: their rows are set aside, so that those of others do not wait behind them.

A batch that is full says that more rows come than are absorbed. Where one customer has far more of it than its share,
while others have rows too, its rows are set aside: they leave the inbox and come back at its end, in the queue LATER,
which is absorbed in small batches beside the others. As long as rows of a customer wait there in a bucket, its further
rows in this bucket follow them (table `flooded`). So in each bucket, the rows of each customer are absorbed in the
order in which they came.
"""

import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from psycopg import Cursor

from core.arrays import Ints, SmallInts, columns
from core.inbox import FIRST_LATER, INSERT, TYPES, InboxKind
from pipeline.absorb.inbox_marks import InboxMarks
from pipeline.absorb.rows import InboxRow, delete, left_later

# what senders send. Messages between buckets are few, and somebody waits for them
FLOODING = frozenset({InboxKind.EVENT, InboxKind.SYNC, InboxKind.CONFIRM, InboxKind.MATCH})

RECENT_SECONDS = 10.0
"""So long a customer counts among those who share the hub after a row of it was seen."""
TIMES_SHARE = 1.5
"""So many times its share a customer may have of a full batch: what comes by chance floods nobody."""

FLOODED = "SELECT bucket, customer_id FROM flooded WHERE bucket = ANY(%s::smallint[])"
REMEMBER = """
INSERT INTO flooded (bucket, customer_id) SELECT * FROM unnest(%s::smallint[], %s::int[]) ON CONFLICT DO NOTHING
"""
FORGET = "DELETE FROM flooded WHERE bucket = ANY(%s::smallint[])"

_BEFORE = b'{"customer":'
_AFTER = len(_BEFORE)


LOOK_SECONDS = 1.0
"""So often a busy process looks whether another one has set rows aside, and died."""


class LaterQueue:
    """What a process knows of the queue LATER, so that looking for rows there costs nothing where nobody floods."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._is_filled = True
        self._next_look = 0.0

    def is_due(self, *, is_idle: bool) -> bool:
        """Whether to look: rows are known to wait, there is nothing else to do, or the last look is long ago."""
        return self._is_filled or is_idle or self._clock() >= self._next_look

    def filled(self) -> None:
        """Rows were set aside."""
        self._is_filled = True

    def looked(self, rows: int) -> None:
        """So many rows were found."""
        self._is_filled = rows > 0
        self._next_look = self._clock() + LOOK_SECONDS


def customer_of(row: InboxRow) -> int | None:
    """Returns whose row it is, where that is known without decoding it."""
    if row.kind not in FLOODING or not row.query.startswith(_BEFORE):
        return None
    number = row.query[_AFTER : row.query.find(b",", _AFTER)]
    return int(number) if number.isdigit() else None


class Flood:
    """What one absorber knows of who shares the hub, and who floods it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: dict[int, float] = {}

    @property
    def is_shared(self) -> bool:
        """Whether several customers had rows in full batches lately."""
        oldest = self._clock() - RECENT_SECONDS
        return sum(at >= oldest for at in self._seen.values()) > 1

    def flooding(self, rows: Mapping[int, int]) -> set[int]:
        """Returns who has far more rows of a full batch than its share. `rows`: how many each customer has of it."""
        now = self._clock()
        self._seen |= dict.fromkeys(rows, now)
        self._seen = {customer: at for customer, at in self._seen.items() if at >= now - RECENT_SECONDS}
        share = sum(rows.values()) / max(1, len(self._seen))
        return {customer for customer, count in rows.items() if count > TIMES_SHARE * share}

    def set_aside(
        self, cursor: Cursor[Any], held: Collection[int], rows: list[InboxRow], *, is_full: bool
    ) -> list[InboxRow]:
        """Set rows of held buckets aside, in the transaction that absorbs the others. Returns the others."""
        behind = set(cursor.execute(FLOODED, [SmallInts.of(sorted(held))]).fetchall())
        if not (is_full or behind):
            return rows
        owners = [customer_of(row) for row in rows]
        heavy = self.flooding(Counter(owner for owner in owners if owner is not None)) if is_full else set()
        if not (heavy or behind):
            return rows
        kept, aside, whose = list[InboxRow](), list[InboxRow](), set[tuple[int, int]]()
        for row, owner in zip(rows, owners, strict=True):
            if owner is not None and (owner in heavy or (row.bucket, owner) in behind):
                aside.append(row)
                whose.add((row.bucket, owner))
            else:
                kept.append(row)
        _move(cursor, aside, whose - behind)
        return kept


def _move(cursor: Cursor[Any], aside: Sequence[InboxRow], whose: Collection[tuple[int, int]]) -> None:
    """Give the rows new places, behind all that wait, in their order."""
    if not aside:
        return
    delete(cursor, aside)
    given = [(row.bucket, row.kind + FIRST_LATER, row.query, row.body, row.received_at) for row in aside]
    cursor.execute(INSERT, columns(TYPES, given))
    if whose:
        cursor.execute(REMEMBER, columns((SmallInts, Ints), sorted(whose)))


def settle(cursor: Cursor[Any], held: set[int], marks: InboxMarks) -> None:
    """Forget who flooded those of the held buckets in which nothing is left that was set aside."""
    left = left_later(cursor, held, marks)
    cursor.execute(FORGET, [SmallInts.of(sorted(held - left))])
