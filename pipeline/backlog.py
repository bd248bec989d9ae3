"""The backlog: what is still to be done, and how bulk work gives way to it."""

import threading
import time
from datetime import timedelta

from core import clock
from core.buckets import BUCKETS
from core.scope import Scope
from core.transactions import plain_cursor
from pipeline import customer_backlog
from pipeline.absorb.inbox_marks import InboxMarks
from pipeline.absorb.journal import has_notes_since
from pipeline.absorb.rows import count_waiting

# never reads more rows than `most` of what waits; deliveries are summed up from their counters
COUNTS = """
SELECT (SELECT count(*) FROM (
           SELECT 1 AS due FROM membership WHERE bucket = ANY(%(buckets)s) AND look_again_at <= %(now)s LIMIT %(most)s
       ) AS rechecks)
         + (SELECT count(*) FROM (
           SELECT 1 AS due FROM identity WHERE bucket = ANY(%(buckets)s) AND expires_at <= %(now)s LIMIT %(most)s
       ) AS ended),
       (SELECT count(*) FROM audience WHERE status = 'building'),
       coalesce(sum(c.due - c.in_flight), 0), coalesce(sum(c.in_flight), 0)
FROM activation_count c JOIN activation a ON a.id = c.activation_id
WHERE c.bucket = ANY(%(buckets)s) AND a.status IN ('live', 'pending', 'ending')
"""
ROWS_BY_STATISTICS = "SELECT pg_stat_get_live_tuples('inbox'::regclass)"

BY_INDEX = "SELECT set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true)"

MOST_ROWS = 20_000
PAUSE_SECONDS = 0.05
PATIENCE_SECONDS = 10.0


class _Looks(threading.local):
    """What this thread's looks at the inbox have learned."""

    def __init__(self) -> None:
        self.marks = InboxMarks()


_looks = _Looks()


def counts(scope: Scope) -> dict[str, int]:
    """Returns what is still to be done, stage by stage; all zero means that the hub is quiet.

    Who sees only some customers is told of these alone (`customer_backlog`).

    `rechecks_due` counts what time alone may have changed, matches that have ended included. `deliveries_due` counts
    those that wait for a retry; dead and unmapped ones are not due. Beyond `MOST_ROWS` rows, `inbox` is what
    PostgreSQL's statistics say, and `rechecks_due` grows no more: nothing long is counted here.
    """
    if scope.customers is not None:
        return customer_backlog.counts(scope, _looks.marks)
    inbox = rows_waiting(MOST_ROWS, _looks.marks)
    with plain_cursor() as cursor:
        if inbox >= MOST_ROWS:
            inbox = max(inbox, *(cursor.execute(ROWS_BY_STATISTICS).fetchone() or (0,)))
        cursor.execute(BY_INDEX)
        values = {"now": clock.now(), "most": MOST_ROWS, "buckets": list(range(BUCKETS))}
        rechecks, building, due, in_flight = cursor.execute(COUNTS, values).fetchone() or (0, 0, 0, 0)
    return {
        "inbox": inbox,
        "rechecks_due": rechecks,
        "building": building,
        "deliveries_due": int(due),
        "in_flight": int(in_flight),
    }


class Backpressure:
    """Lets one sender of bulk rows add to the inbox only while little waits there, so that events are not delayed.

    Where nobody absorbs, or not fast enough, the sender stops waiting: its rows are safe in the inbox. With
    `as_long_as_absorbed` it is in no hurry, and waits however long it takes while somebody absorbs.
    """

    def __init__(self, *, as_long_as_absorbed: bool = False) -> None:
        self._patience = PATIENCE_SECONDS
        self._in_no_hurry = as_long_as_absorbed
        self._marks = InboxMarks()

    def wait(self) -> None:
        """Block until there is room, or until patience ends."""
        end = time.monotonic() + self._patience
        while rows_waiting(MOST_ROWS, self._marks) >= MOST_ROWS:
            if self._in_no_hurry and _is_absorbed():
                end = time.monotonic() + self._patience
            elif time.monotonic() >= end:
                self._patience = 0.0
                return
            time.sleep(PAUSE_SECONDS)


class NoBackpressure(Backpressure):
    """For a sender that gives way to nobody."""

    def wait(self) -> None:
        """Return at once."""


def rows_waiting(most: int, marks: InboxMarks) -> int:
    """Returns how many rows wait in the inbox, counted up to `most`. `marks`: what the caller's last count has learned;
    what was absorbed before it is not read again.
    """
    with plain_cursor() as cursor:
        cursor.execute(BY_INDEX)
        return count_waiting(cursor, most, marks)


def _is_absorbed() -> bool:
    """Returns whether some absorber has begun a batch lately."""
    with plain_cursor() as cursor:
        return has_notes_since(cursor, clock.now() - timedelta(seconds=PATIENCE_SECONDS))
