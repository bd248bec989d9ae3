"""The SQL of `delivery` beside what is wanted and what is sent: repairs, replays, the end of an activation.

What sends holds the lease of the lane; what repairs here leaves rows alone that somebody is sending.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Cursor

from activation.stores.activation_counts import DeliveryChanges, counted
from activation.stores.dead_letters import Key, key_columns
from activation.stores.due_marks import DueLook
from core.arrays import Ints, SmallInts, Texts, Uuids, columns
from core.buckets import BUCKETS
from core.database import Connection

IS_DUE = """
SELECT 1 FROM activation a CROSS JOIN (VALUES (true), (false)) AS w (wanted) CROSS JOIN LATERAL (
    SELECT 1 FROM delivery WHERE activation_id = a.id AND wanted = w.wanted
        AND bucket = ANY(%(buckets)s::smallint[]) AND due_at > %(since)s AND due_at <= %(now)s LIMIT 1) AS found
WHERE a.platform_id = %(platform)s AND a.status IN ('live', 'ending') LIMIT 1
"""
DROP_REMOVALS = """
UPDATE delivery d SET due_at = NULL, claim = NULL, attempts = 0, error = ''
FROM (SELECT bucket, activation_id, platform_user_id FROM delivery
      WHERE activation_id = ANY(%(activations)s) AND wanted = false AND bucket = ANY(%(buckets)s)
        AND due_at > %(since)s AND due_at <= %(now)s LIMIT %(most)s) AS due
WHERE d.bucket = due.bucket AND d.activation_id = due.activation_id
  AND d.platform_user_id = due.platform_user_id AND d.wanted = false
"""
# Dead means that the platform's state is unknown, or another than what is wanted: whatever it was, it is sent anew.
REVIVE = """
UPDATE delivery d SET dead = false, attempts = 0, error = '', due_at = %(now)s, changed_at = %(now)s
FROM unnest(%(buckets)s::smallint[], %(activations)s::int[], %(ids)s::text[])
     AS k (bucket, activation_id, platform_user_id)
WHERE d.bucket = k.bucket AND d.activation_id = k.activation_id AND d.platform_user_id = k.platform_user_id AND d.dead
"""
ADD_MISSING = """
UPDATE delivery d SET acknowledged = false, due_at = CASE WHEN d.wanted THEN %(now)s::timestamptz END
FROM unnest(%(buckets)s::smallint[], %(ids)s::text[]) AS k (bucket, platform_user_id)
WHERE d.bucket = k.bucket AND d.activation_id = %(activation)s AND d.platform_user_id = k.platform_user_id
  AND d.claim IS NULL AND d.due_at IS NULL AND d.acknowledged
"""
# Nobody is the owner of an unexpected id, so its epoch is 0: any real want is later.
REMOVE_UNEXPECTED = """
INSERT INTO delivery AS kept (bucket, activation_id, platform_user_id, platform_id, user_id, epoch, version, wanted,
                              acknowledged, due_at, changed_at)
SELECT k.bucket, %(activation)s, k.platform_user_id, %(platform)s, %(nobody)s, 0, 0, false, true, %(now)s, %(now)s
FROM unnest(%(buckets)s::smallint[], %(ids)s::text[]) AS k (bucket, platform_user_id)
ON CONFLICT (bucket, activation_id, platform_user_id) DO UPDATE SET acknowledged = true,
    due_at = CASE WHEN NOT kept.wanted THEN excluded.due_at END
WHERE kept.claim IS NULL AND kept.due_at IS NULL
"""
FORGET_UNEXPECTED = """
DELETE FROM delivery WHERE bucket = %(bucket)s AND activation_id = %(activation)s AND platform_user_id = %(id)s
  AND epoch = 0 AND user_id = %(nobody)s AND NOT wanted AND claim IS NULL
"""
MARK_UNKNOWN = """
UPDATE delivery SET acknowledged = NULL, due_at = coalesce(due_at, %(now)s::timestamptz)
WHERE bucket = %(bucket)s AND activation_id = %(activation)s AND platform_user_id = %(id)s AND NOT dead
"""
# Rows that were sent again since, or that are being sent, bear the mark of another batch.
FILE_REFUSED = """
UPDATE delivery SET acknowledged = NULL, error = %(error)s, changed_at = %(now)s, due_at = %(now)s
WHERE bucket = %(bucket)s AND activation_id = ANY(%(activations)s) AND batch = %(batch)s AND claim IS NULL
  AND NOT dead
"""
# what is due is found by its index; only where nothing is, all rows are looked at for one that is being sent
IS_DUE_OF = """
SELECT EXISTS (SELECT 1 FROM delivery WHERE activation_id = %(activation)s AND wanted = ANY('{false,true}')
               AND bucket = ANY(%(buckets)s) AND due_at IS NOT NULL)
"""
IS_CLAIMED = """
SELECT EXISTS (SELECT 1 FROM delivery WHERE bucket = ANY(%(buckets)s) AND activation_id = %(activation)s
               AND claim IS NOT NULL)
"""
BEARS = """
SELECT EXISTS (SELECT 1 FROM delivery WHERE bucket = %(bucket)s AND activation_id = %(activation)s
               AND user_id = ANY(%(erasures)s::uuid[]))
"""
DELETE_OF_PLATFORM = "DELETE FROM delivery WHERE bucket = %s AND platform_id = %s"
DELETE = """
DELETE FROM {table} WHERE bucket = %(bucket)s AND activation_id = %(activation)s
"""
# rows changed in one statement, so that nobody waits long for them
PAGE = 1_000
# the counts come after what they count
_TABLES = ("delivery", "activation_count", "dead_letter", "activation_backfill")

NOBODY = UUID(int=0)


def is_due(connection: Connection, platform: int, look: DueLook, now: datetime) -> bool:
    """Whether the platform has something to send that this look finds."""
    values = {"platform": platform, "buckets": look.buckets, "since": look.since, "now": now}
    return connection.execute(IS_DUE, values).fetchone() is not None


def drop_removals(cursor: Cursor[Any], activations: Iterable[int], look: DueLook, now: datetime) -> int:
    """Have no removal due that this look finds, for platforms that are sent none; at most a page. Returns how many
    were due.

    The caller holds the lease of the lane.
    """
    values = {"activations": Ints.of(sorted(activations)), "buckets": SmallInts.of(look.buckets), "since": look.since}
    with counted(cursor, locked=False) as changes:
        return changes.execute(DROP_REMOVALS, {**values, "now": now, "most": PAGE})


def revive(changes: DeliveryChanges, keys: Iterable[Key], now: datetime) -> int:
    """Have dead deliveries sent again. Returns how many of them were dead."""
    return changes.execute(REVIVE, {**key_columns(keys), "now": now})


def add_missing(cursor: Cursor[Any], activation: int, keys: Iterable[tuple[int, str]], now: datetime) -> None:
    """Have ids sent again that the platform had confirmed and does not hold; (bucket, id)s."""
    with counted(cursor, locked=False) as changes:
        changes.execute(ADD_MISSING, {**_ids(keys), "activation": activation, "now": now})


def remove_unexpected(
    cursor: Cursor[Any], activation: int, platform: int, keys: Iterable[tuple[int, str]], now: datetime
) -> None:
    """Have ids removed that the platform holds and that nobody wants there; (bucket, id)s."""
    values = {"activation": activation, "platform": platform, "nobody": NOBODY, "now": now}
    with counted(cursor, locked=False) as changes:
        changes.execute(REMOVE_UNEXPECTED, {**_ids(keys), **values})


def forget_unexpected(cursor: Cursor[Any], key: Key) -> None:
    """Forget an id of nobody's that the platform has removed."""
    bucket, activation, platform_user_id = key
    values = {"bucket": bucket, "activation": activation, "id": platform_user_id, "nobody": NOBODY}
    with counted(cursor, locked=False) as changes:
        changes.execute(FORGET_UNEXPECTED, values)


def mark_unknown(cursor: Cursor[Any], key: Key, now: datetime) -> None:
    """An id is sent outside its turn: nobody knows what the platform holds from now on, and it is sent once more.

    The caller holds the lease of the id's lane.
    """
    bucket, activation, platform_user_id = key
    values = {"bucket": bucket, "activation": activation, "id": platform_user_id, "now": now}
    with counted(cursor, locked=False) as changes:
        changes.execute(MARK_UNKNOWN, values)


def file_refused(
    cursor: Cursor[Any], activations: Sequence[int], bucket: int, batch: UUID, error: str, now: datetime
) -> None:
    """Have the rows of a refused file sent again, in a bucket that the caller holds."""
    values = {"activations": Ints.of(activations), "bucket": bucket, "batch": batch, "error": error, "now": now}
    with counted(cursor, locked=True) as changes:
        changes.execute(FILE_REFUSED, values)


def is_left(cursor: Cursor[Any], activation: int) -> bool:
    """Whether anything of the activation is due or under way."""
    for statement in (IS_DUE_OF, IS_CLAIMED):
        cursor.execute(statement, _whole(activation))
        if (cursor.fetchone() or (False,))[0]:
            return True
    return False


def bears(cursor: Cursor[Any], bucket: int, activation: int, erasures: Collection[UUID]) -> bool:
    """Whether a delivery of the activation in the bucket bears one of these erasures in place of its user."""
    values = {"bucket": bucket, "activation": activation, "erasures": Uuids.of(list(erasures))}
    cursor.execute(BEARS, values)
    return bool((cursor.fetchone() or (False,))[0])


def delete(cursor: Cursor[Any], bucket: int, activation: int) -> None:
    """Delete the bucket's rows of the activation, those of its dead letters and of its backfill among them.

    The caller holds the bucket.
    """
    for table in _TABLES:
        cursor.execute(DELETE.format(table=table), {"bucket": bucket, "activation": activation})


def delete_of_platform(cursor: Cursor[Any], bucket: int, platform: int) -> None:
    """Delete what the bucket still holds of a platform that is deleted; reads all deliveries of the bucket.

    The caller holds the bucket.
    """
    with counted(cursor, locked=True) as changes:
        changes.execute(DELETE_OF_PLATFORM, [bucket, platform])


def _whole(activation: int) -> dict[str, Any]:
    return {"buckets": SmallInts.of(range(BUCKETS)), "activation": activation}


def _ids(keys: Iterable[tuple[int, str]]) -> dict[str, Any]:
    buckets, ids = columns((SmallInts, Texts), sorted(keys))
    return {"buckets": buckets, "ids": ids}
