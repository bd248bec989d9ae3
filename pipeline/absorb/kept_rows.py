"""Rows that were accepted after an erasure which is still under way, kept by themselves until it is done.

An erasure reaches the profiles of a person one after another. What is accepted after it may come to one of them first:
when the erasure comes there, the profile goes with all that it holds, and these rows are absorbed again. While no
erasure of a customer is under way, nothing is kept.
"""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg import Cursor

from core import buckets
from core.arrays import BigInts, Byteas, Ints, SmallInts, Times, Uuids, columns
from core.buckets import BUCKETS
from core.database import Connection
from core.inbox import InboxCommand, InboxKind
from pipeline.absorb.rows import InboxRow
from profiles.state import ProfileState

UNDER_WAY = "SELECT customer_id, min(requested_at) FROM erasure WHERE swept_at IS NULL GROUP BY customer_id"
KEEP = """
INSERT INTO kept_row (bucket, customer_id, user_id, row_bucket, row_id, kind, query, body, received_at)
SELECT * FROM unnest(%s::smallint[], %s::int[], %s::uuid[], %s::smallint[], %s::bigint[], %s::smallint[], %s::bytea[],
                     %s::bytea[], %s::timestamptz[])
ON CONFLICT (bucket, customer_id, user_id, row_bucket, row_id) DO NOTHING
"""
TAKE = """
DELETE FROM kept_row WHERE bucket = %s AND customer_id = %s AND user_id = %s
RETURNING row_bucket, row_id, kind, query, body, received_at
"""
FORGET = """
DELETE FROM kept_row WHERE bucket = ANY(%s::smallint[]) AND received_at <= %s
AND NOT (customer_id = ANY(%s::int[]) AND received_at > %s)
"""
# an erasure that was asked for so long ago is seen by everybody
SEEN_AFTER = timedelta(seconds=30)
TYPES = (SmallInts, Ints, Uuids, SmallInts, BigInts, SmallInts, Byteas, Byteas, Times)


class BatchKeptRows:
    """The rows of a batch that are kept. The caller holds the buckets of their profiles."""

    __slots__ = ("_cursor", "_rows", "_under_way")

    def __init__(self, cursor: Cursor[Any]) -> None:
        self._cursor = cursor
        self._rows: list[tuple[ProfileState, InboxRow]] = []
        self._under_way: dict[int, datetime] | None = None

    def note(self, profile: ProfileState, row: InboxRow) -> None:
        """The row is applied to the profile. Reads, once a batch, which erasures are under way."""
        if self._under_way is None:
            self._under_way = under_way(self._cursor)
        since = self._under_way.get(profile.customer)
        if since is not None and row.received_at > since:
            self._rows.append((profile, row))

    def take(self, customer: int, user: UUID, after: datetime) -> list[InboxCommand]:
        """Returns what the user's profile got that was accepted after then, and keeps nothing of the user."""
        self._cursor.execute(TAKE, [buckets.of_user(user), customer, user])
        kept = sorted((row[:2], row[2:]) for row in self._cursor)
        return [
            InboxCommand(place[0], InboxKind(kind), query, received_at, body)
            for place, (kind, query, body, received_at) in kept
            if received_at > after
        ]

    def save(self) -> None:
        rows = [
            (one.bucket, one.customer, one.user_id, row.bucket, row.id, row.kind, row.query, row.body, row.received_at)
            for one, row in self._rows
        ]
        if rows:
            rows.sort(key=lambda row: (*row[:2], row[2].int, *row[3:5]))
            self._cursor.execute(KEEP, columns(TYPES, rows))


def under_way(cursor: Cursor[Any]) -> dict[int, datetime]:
    """Returns, by customer, when the first erasure that is under way was asked for."""
    cursor.execute(UNDER_WAY)
    return dict(cursor.fetchall())


def forget(connection: Connection, now: datetime) -> None:
    """Delete the rows that no erasure under way can ask for."""
    with connection.transaction(), connection.cursor(binary=True) as cursor:
        waiting = under_way(cursor)
        first = min(waiting.values(), default=None)
        cursor.execute(FORGET, [list(range(BUCKETS)), now - SEEN_AFTER, Ints.of(list(waiting)), first])
