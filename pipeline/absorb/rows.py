"""Taking inbox rows: in key order from a rotating bucket, never sorted as a whole.

Every look begins behind the ids that are known to be absorbed (`InboxMarks`): an old snapshot keeps their deleted rows.
"""

from collections.abc import Sequence
from datetime import datetime
from itertools import takewhile
from typing import Any, NamedTuple

from psycopg import Cursor

from core.arrays import BigInts, SmallInts
from core.buckets import BUCKETS, around, try_lock
from core.inbox import FIRST_BULK, InboxKind, InboxQueue
from pipeline.absorb.inbox_marks import InboxMarks

# what senders send; messages between buckets are few, and somebody waits for them
SENT = (InboxKind.EVENT, InboxKind.SYNC, InboxKind.CONFIRM, InboxKind.MATCH)
BEFORE_CUSTOMER = b'{"customer":'
"""So the messages of these kinds begin. The customer's number follows, and a comma."""

_PROMPT = f"bucket = ANY(%s::smallint[]) AND id > %s AND NOT (kind >= {FIRST_BULK})"
_SENT_BY = f"""kind IN ({", ".join(str(int(kind)) for kind in SENT)})
AND split_part(encode(substring(query FROM {len(BEFORE_CUSTOMER) + 1} FOR 11), 'escape'), ',', 1)"""
_LOOK = {
    InboxQueue.PROMPT: f"{_PROMPT} ORDER BY bucket, id",
    # By expressions that only their own index serves. By plain columns the planner chose between this and the primary
    # key, and after much bulk work it read the whole backlog.
    InboxQueue.BULK: f"""bucket + 0 = ANY(%s::smallint[]::int[]) AND id + 0 > %s AND kind >= {FIRST_BULK}
ORDER BY bucket + 0, id + 0""",
    InboxQueue.OTHERS: f"{_PROMPT} AND NOT ({_SENT_BY} = ANY(%s::text[])) ORDER BY bucket, id",
}
WHOLE = (InboxQueue.PROMPT, InboxQueue.BULK)
"""The queues in which each row is found once."""
PEEK = {
    queue: f"""
SELECT bucket, count(*), min(id) FROM (SELECT bucket, id FROM inbox WHERE {look} LIMIT %s) AS front GROUP BY bucket
"""
    for queue, look in _LOOK.items()
}
TAKE = {
    queue: f"""
SELECT bucket, id, kind, query, body, received_at, attempts FROM inbox WHERE {look} LIMIT %s
"""
    for queue, look in _LOOK.items()
}
READ = {
    queue: f"""
SELECT bucket, id, query FROM inbox WHERE {_LOOK[queue]} LIMIT %s
"""
    for queue in WHOLE
}

# no join: an inbox that was analysed while it was empty would be read whole for each of the rows. Ids are unique.
DELETE = "DELETE FROM inbox WHERE bucket = ANY(%s::smallint[]) AND id = ANY(%s::bigint[])"

# how many rows are taken with one over which 0, 1, 2… workers have died
SIZES = (1000, 32, 1)
# a row over which that many workers died, with no other row in their hands, becomes a bad row
DEADLY = 5


class InboxRow(NamedTuple):
    """One inbox row."""

    bucket: int
    id: int
    kind: int
    query: bytes
    body: bytes | None
    received_at: datetime
    attempts: int


def lock_waiting(cursor: Cursor[Any], start: int, limit: int, *, queue: InboxQueue, marks: InboxMarks) -> set[int]:
    """Lock buckets that have work, from `start` on and around; returns as many as hold about `limit` rows.

    Looks behind buckets that others hold: one bucket with a whole batch in it must not hide the rest.
    """
    held: dict[int, int] = {}
    marks.advance(cursor)
    for part in around(range(BUCKETS), start):
        for mark, run in marks.runs(part, queue=queue):
            left = run
            while left and (room := limit - sum(held.values())) > 0:
                waiting = _peek(cursor, left, mark, room, queue=queue, marks=marks)
                held |= {bucket: waiting[bucket] for bucket in try_lock(cursor, waiting)} if waiting else {}
                is_cut = sum(waiting.values()) == room
                left = [bucket for bucket in left if bucket > max(waiting)] if is_cut else []
    return set(held)


def count_waiting(cursor: Cursor[Any], limit: int, marks: InboxMarks) -> int:
    """Returns how many rows wait, counted up to `limit`."""
    rows = 0
    marks.advance(cursor)
    for queue in WHOLE:
        for mark, run in marks.runs(range(BUCKETS), queue=queue):
            if rows < limit:
                rows += sum(_peek(cursor, run, mark, limit - rows, queue=queue, marks=marks).values())
    return rows


def messages_waiting(cursor: Cursor[Any], limit: int, marks: InboxMarks) -> list[bytes]:
    """Returns the messages of the rows that wait, `limit` of them at most. Locks nothing."""
    found: list[bytes] = []
    marks.advance(cursor)
    for queue in WHOLE:
        for mark, run in marks.runs(range(BUCKETS), queue=queue):
            most = limit - len(found)
            rows = cursor.execute(READ[queue], [SmallInts.of(run), mark, most]).fetchall() if most > 0 else []
            first = {bucket: row for bucket, row, _ in reversed(rows)}
            if most > 0:
                marks.learn(run, first, queue=queue, is_cut=len(rows) == most)
            found += [query for _, _, query in rows]
    return found


def take(
    cursor: Cursor[Any], buckets: set[int], start: int, limit: int, *, queue: InboxQueue, marks: InboxMarks
) -> list[InboxRow]:
    """Returns the first rows of these buckets, which the caller has locked, from `start` on and around.

    Where a worker died over a row, few are taken with it, and at last it is taken alone: never behind rows that were
    tried less often, or these and its neighbours would die with it again and again.
    """
    rows: list[InboxRow] = []
    for part in around(sorted(buckets), start):
        for mark, run in marks.runs(part, queue=queue):
            if len(rows) < limit:
                cursor.execute(TAKE[queue], [SmallInts.of(run), mark, *marks.customers_of(queue), limit - len(rows)])
                rows += map(InboxRow._make, cursor.fetchall())
    tried = rows[0].attempts if rows else 0
    most = SIZES[min(tried, len(SIZES) - 1)] if tried else limit
    return list(takewhile(lambda row: row.attempts <= tried, rows[:most]))


def delete(cursor: Cursor[Any], rows: Sequence[InboxRow]) -> None:
    buckets, ids = {row.bucket for row in rows}, [row.id for row in rows]
    cursor.execute(DELETE, [SmallInts.of(sorted(buckets)), BigInts.of(sorted(ids))])


def _peek(
    cursor: Cursor[Any], buckets: Sequence[int], mark: int, limit: int, *, queue: InboxQueue, marks: InboxMarks
) -> dict[int, int]:
    """Returns the buckets of the first rows above the mark, and how many are in each. Raises the marks."""
    cursor.execute(PEEK[queue], [SmallInts.of(buckets), mark, *marks.customers_of(queue), limit])
    found = cursor.fetchall()
    waiting = {bucket: rows for bucket, rows, _ in found}
    first = {bucket: row for bucket, _, row in found}
    marks.learn(buckets, first, queue=queue, is_cut=sum(waiting.values()) == limit)
    return waiting
