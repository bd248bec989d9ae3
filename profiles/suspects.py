"""The SQL of ids that name many browsers (`watched_id`), and of what waits until they are judged (`waiting_link`).

Both lie in the bucket of the id's value. Whoever writes holds its lock. An id that has named one browser has no row.
"""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from psycopg import Cursor

from core import buckets
from core.arrays import BigInts, Byteas, Ints, SmallInts, Texts, Times, Uuids, columns
from core.clock import milliseconds
from core.inbox import InboxCommand, InboxKind
from core.limits import SuspectLimits
from profiles.identities import IdentityKey

MINUTE_MS, DAY_MS = 60_000, 86_400_000
GOOD, BAD = "good", "bad"

LOAD = """
SELECT i.customer_id, i.kind, i.value, i.user_id, i.since, w.seen::text, w.suspect_at, coalesce(w.verdict, ''),
       coalesce(w.waiting, 0)
FROM unnest(%s::smallint[], %s::int[], %s::text[], %s::text[]) AS k (bucket, customer_id, kind, value)
JOIN identity i
  ON i.bucket = k.bucket AND i.customer_id = k.customer_id AND i.kind = k.kind AND i.value = k.value
LEFT JOIN watched_id w
  ON w.bucket = k.bucket AND w.customer_id = k.customer_id AND w.kind = k.kind AND w.value = k.value
"""
SAVE = """
INSERT INTO watched_id (bucket, customer_id, kind, value, seen, suspect_at, verdict, waiting)
SELECT bucket, customer_id, kind, value, seen::jsonb, suspect_at, verdict, waiting
FROM unnest(%s::smallint[], %s::int[], %s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::text[], %s::int[])
     AS k (bucket, customer_id, kind, value, seen, suspect_at, verdict, waiting)
ON CONFLICT (bucket, customer_id, kind, value) DO UPDATE SET
    seen = excluded.seen, suspect_at = excluded.suspect_at, verdict = excluded.verdict, waiting = excluded.waiting
"""
KEEP = """
INSERT INTO waiting_link (bucket, id, customer_id, kind, value, user_id, query, received_at)
SELECT * FROM unnest(%s::smallint[], %s::bigint[], %s::int[], %s::text[], %s::text[], %s::uuid[], %s::bytea[],
                     %s::timestamptz[])
ON CONFLICT (bucket, id) DO NOTHING
"""
TAKE = """
DELETE FROM waiting_link WHERE bucket = %(bucket)s AND id = ANY(ARRAY(
    SELECT id FROM waiting_link
    WHERE bucket = %(bucket)s AND customer_id = %(customer)s AND kind = %(kind)s AND value = %(value)s
    ORDER BY id LIMIT %(limit)s))
RETURNING id, user_id, query, received_at
"""
FORGET_WAITING = """
DELETE FROM waiting_link
WHERE bucket = %s AND customer_id = %s AND kind = %s AND value = %s AND user_id = ANY(%s::uuid[])
"""
FORGET = "DELETE FROM {} WHERE bucket = %s AND customer_id = %s AND kind = %s AND value = %s"
FORGET_KIND = "DELETE FROM {} WHERE bucket = %s AND customer_id = %s AND kind = %s"
TABLES = ("watched_id", "waiting_link")

KEY = (SmallInts, Ints, Texts, Texts)


@dataclass(slots=True)
class Watch:
    """What is known of an id that may name too many. `seen`: traces of the latest browsers, with unix ms."""

    seen: list[tuple[str, int]] = field(default_factory=list)
    suspect_at: datetime | None = None
    verdict: str = ""
    waiting: int = 0
    dirty: bool = False

    @property
    def is_suspect(self) -> bool:
        """Whether merges and moves wait."""
        return self.suspect_at is not None and not self.verdict

    def has_seen(self, browser: str) -> bool:
        trace = trace_of(browser)
        return any(trace == one for one, _ in self.seen)

    def note(self, browser: str, at: int, limits: SuspectLimits, now: datetime) -> None:
        """Another browser has the id. The id is suspect from the last one on that it may name in a minute, or a day."""
        if self.verdict or self.has_seen(browser):
            return
        self.seen = sorted([*self.seen, (trace_of(browser), at)], key=lambda one: one[1])[-limits.per_day :]
        self.dirty = True
        times = [time for _, time in self.seen]
        for most, span in ((limits.per_minute, MINUTE_MS), (limits.per_day, DAY_MS)):
            if any(last - first < span for first, last in zip(times, times[most - 1 :], strict=False)):
                self.suspect_at = self.suspect_at or now


class KeptLink(NamedTuple):
    """A link that waits, as the row of the inbox that it was. `user`: who would be merged."""

    bucket: int
    id: int
    key: IdentityKey
    user: UUID
    query: bytes
    received_at: datetime

    @property
    def command(self) -> InboxCommand:
        """The row as it came."""
        return InboxCommand(self.bucket, InboxKind.LINK, self.query, self.received_at)


def trace_of(browser: str) -> str:
    """Returns what tells browsers apart, and does not lead back to one."""
    return hashlib.sha256(browser.encode()).hexdigest()[:16]


_seen = msgspec.json.Decoder(list[tuple[str, int]]).decode


def load(cursor: Cursor[Any], keys: Collection[IdentityKey]) -> dict[IdentityKey, Watch]:
    """Returns what is known of ids that name somebody, or have: of a new one that it named its owner."""
    if not keys:
        return {}
    cursor.execute(LOAD, columns(KEY, sorted((buckets.of_value(key[2]), *key) for key in keys)))
    found = {}
    for customer, kind, value, owner, since, seen, *rest in cursor:
        first = [(trace_of(str(owner)), milliseconds(since))] if owner else []
        found[customer, kind, value] = Watch(_seen(seen) if seen else first, *rest)
    return found


def save(cursor: Cursor[Any], watches: Iterable[tuple[IdentityKey, Watch]]) -> None:
    rows = sorted(
        (
            (buckets.of_value(key[2]), *key, _text(one.seen), one.suspect_at, one.verdict, one.waiting)
            for key, one in watches
        ),
        key=lambda row: row[:4],
    )
    if rows:
        cursor.execute(SAVE, columns((*KEY, Texts, Times, Texts, Ints), rows))


def _text(seen: Sequence[tuple[str, int]]) -> str:
    return msgspec.json.encode(seen).decode()


def keep(cursor: Cursor[Any], links: Iterable[KeptLink]) -> None:
    """Keep links until their id is judged."""
    rows = sorted((one.bucket, one.id, *one.key, one.user, one.query, one.received_at) for one in links)
    if rows:
        types = (SmallInts, BigInts, Ints, Texts, Texts, Uuids, Byteas, Times)
        cursor.execute(KEEP, columns(types, rows))


def take(cursor: Cursor[Any], key: IdentityKey, limit: int) -> list[KeptLink]:
    """Take up to `limit` links that waited for the id, the oldest first."""
    customer, kind, value = key
    bucket = buckets.of_value(value)
    cursor.execute(TAKE, {"bucket": bucket, "customer": customer, "kind": kind, "value": value, "limit": limit})
    return sorted(KeptLink(bucket, row, key, user, bytes(query), received) for row, user, query, received in cursor)


def forget_waiting(cursor: Cursor[Any], key: IdentityKey, users: Sequence[UUID]) -> int:
    """Forget what waits of these users. Returns how many rows there were."""
    cursor.execute(FORGET_WAITING, [buckets.of_value(key[2]), *key, list(users)])
    return cursor.rowcount


def forget(cursor: Cursor[Any], key: IdentityKey) -> None:
    """Forget the id, and what waits for it."""
    for table in TABLES:
        cursor.execute(FORGET.format(table), [buckets.of_value(key[2]), *key])


def forget_kind(cursor: Cursor[Any], bucket: int, customer: int, kind: str) -> None:
    """Forget all ids of a kind in a bucket."""
    for table in TABLES:
        cursor.execute(FORGET_KIND.format(table), [bucket, customer, kind])
