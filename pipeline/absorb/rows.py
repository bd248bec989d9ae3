"""Taking inbox rows: in key order from a rotating bucket, never sorted as a whole."""

from collections.abc import Sequence
from datetime import datetime
from itertools import takewhile
from typing import Any, NamedTuple

from psycopg import Cursor

from core.arrays import BigInts, SmallInts
from core.buckets import BUCKETS, try_lock
from core.inbox import FIRST_BULK

_BULK = f"kind >= {FIRST_BULK}"
_WHICH = {True: _BULK, False: f"NOT ({_BULK})"}  # spelled out: the index of bulk work is found by its very condition

PEEK = {
    bulk: f"""
SELECT bucket, count(*)
FROM (SELECT bucket FROM inbox WHERE bucket BETWEEN %s AND %s AND {which} ORDER BY bucket, id LIMIT %s) AS front
GROUP BY bucket
"""
    for bulk, which in _WHICH.items()
}

TAKE = {
    bulk: f"""
SELECT bucket, id, kind, query, body, received_at, attempts FROM inbox
WHERE bucket = ANY(%s::smallint[]) AND {which}
ORDER BY bucket, id LIMIT %s
"""
    for bulk, which in _WHICH.items()
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


def lock_waiting(cursor: Cursor[Any], start: int, limit: int, *, bulk: bool) -> set[int]:
    """Lock buckets that have work, from `start` on and around; returns as many as hold about `limit` rows.

    Looks behind buckets that others hold: one bucket with a whole batch in it must not hide the rest.
    """
    held: dict[int, int] = {}
    for begin, last in ((start, BUCKETS - 1), (0, start - 1)):
        first = begin
        while first <= last and (room := limit - sum(held.values())) > 0:
            waiting = _peek(cursor, first, last, room, bulk=bulk)
            held |= {bucket: waiting[bucket] for bucket in try_lock(cursor, waiting)} if waiting else {}
            first = max(waiting) + 1 if sum(waiting.values()) == room else BUCKETS
    return set(held)


def take(cursor: Cursor[Any], buckets: set[int], start: int, limit: int, *, bulk: bool) -> list[InboxRow]:
    """Returns the first rows of these buckets, which the caller has locked, from `start` on and around.

    Where a worker died over a row, few are taken with it, and at last it is taken alone.
    """
    rows: list[InboxRow] = []
    for part in ([b for b in buckets if b >= start], [b for b in buckets if b < start]):
        if part and len(rows) < limit:
            cursor.execute(TAKE[bulk], [sorted(part), limit - len(rows)])
            rows += [InboxRow(*row) for row in cursor]
    if rows and rows[0].attempts:
        return rows[: SIZES[min(rows[0].attempts, len(SIZES) - 1)]]
    return list(takewhile(lambda row: not row.attempts, rows))


def delete(cursor: Cursor[Any], rows: Sequence[InboxRow]) -> None:
    buckets, ids = {row.bucket for row in rows}, [row.id for row in rows]
    cursor.execute(DELETE, [SmallInts.of(sorted(buckets)), BigInts.of(sorted(ids))])


def _peek(cursor: Cursor[Any], first: int, last: int, limit: int, *, bulk: bool) -> dict[int, int]:
    """Returns the buckets of the first rows of a range, and how many of those rows are in each."""
    cursor.execute(PEEK[bulk], [first, last, limit])
    return dict(cursor.fetchall())
