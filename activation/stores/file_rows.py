"""The SQL of the rows of files: read a bucket at a time, finished from the list that was written beside each file.

They are not claimed one by one, which would cost more than all the rest: the lane is marked open before anything is
read. While it is open, a row that is due stays due, whatever its user does (`desired_state`). Before it is closed, the
state of every row that may have arrived is marked as unknown, unless the row is finished: by the sender itself, from
its list, or by the next sender, if the first one died. So a row that may have been sent is sent once more, as it is
wanted then: a removal, where its user has left since.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Cursor

from activation.delivery.lanes import Lease
from activation.stores.activation_counts import counted
from core.arrays import Bools, Ints, SmallInts, Texts, columns
from core.patterns import linear

# what may stand in a file, by whether the platform is sent removals; spelled out, for the index begins with it
_WHICH = {True: "wanted = ANY('{false,true}')", False: "wanted = true"}
DUE = {
    removals_sent: f"""
SELECT activation_id, wanted, platform_user_id, user_id FROM delivery
WHERE activation_id = ANY(%(activations)s) AND {which} AND bucket = %(bucket)s AND due_at <= %(now)s
"""
    for removals_sent, which in _WHICH.items()
}
LISTED = {
    removals_sent: f"""
SELECT activation_id, wanted, count(*), string_agg(platform_user_id, chr(10)) FROM delivery
WHERE activation_id = ANY(%(activations)s) AND {which} AND bucket = %(bucket)s AND due_at <= %(now)s
GROUP BY activation_id, wanted
"""
    for removals_sent, which in _WHICH.items()
}
# characters that would make a list read as other ids
_STRANGE = linear(r"[\x00-\x09\x0b-\x1f\x{85}\x{2028}\x{2029}]|\n\n|\A\n|\n\z", 2**30)
# A sender whose lane is somebody else's by now changes nothing.
DONE = """
UPDATE delivery d SET claim = NULL, acknowledged = k.wanted, attempts = 0, error = '', changed_at = %(now)s,
    batch = %(batch)s, expires_at = CASE WHEN k.wanted THEN %(expires_at)s::timestamptz END,
    due_at = CASE WHEN d.wanted <> k.wanted THEN %(now)s::timestamptz END
FROM unnest(%(buckets)s, %(activations)s, %(wanted)s, %(ids)s) AS k (bucket, activation_id, wanted, platform_user_id)
WHERE d.bucket = k.bucket AND d.activation_id = k.activation_id AND d.platform_user_id = k.platform_user_id
  AND EXISTS (SELECT 1 FROM lane WHERE platform_id = %(platform)s AND lane = %(lane)s AND fence = %(fence)s)
"""
# What is not due any more was not due either when the file was written, or its user's bucket has changed it meanwhile.
UNKNOWN = """
UPDATE delivery d SET acknowledged = NULL, due_at = coalesce(d.due_at, %(now)s::timestamptz)
FROM unnest(%(buckets)s, %(activations)s, %(wanted)s, %(ids)s) AS k (bucket, activation_id, wanted, platform_user_id)
WHERE d.bucket = k.bucket AND d.activation_id = k.activation_id AND d.platform_user_id = k.platform_user_id
  AND d.acknowledged IS NOT NULL AND NOT d.dead
  AND EXISTS (SELECT 1 FROM lane WHERE platform_id = %(platform)s AND lane = %(lane)s AND fence = %(fence)s)
"""
# Absorb may have read that the lane was closed just before it was opened: such a row changed after `since`.
LEFT_OPEN = """
UPDATE delivery SET acknowledged = NULL, due_at = coalesce(due_at, %(now)s::timestamptz)
WHERE bucket = %(bucket)s AND activation_id = ANY(%(activations)s) AND acknowledged IS NOT NULL AND NOT dead
  AND (due_at IS NOT NULL OR (NOT wanted AND changed_at >= %(since)s))
"""
CLAIM = """
UPDATE delivery d SET claim = %(batch)s, attempts = d.attempts + 1
FROM unnest(%(buckets)s, %(activations)s, %(wanted)s, %(ids)s) AS k (bucket, activation_id, wanted, platform_user_id)
WHERE d.bucket = k.bucket AND d.activation_id = k.activation_id AND d.platform_user_id = k.platform_user_id
  AND d.wanted = k.wanted
"""


DueRow = tuple[int, bool, str, UUID]  # activation, wanted, the platform's id, the user's
FileRow = tuple[int, int, bool, str]  # bucket, activation, wanted, the platform's id


@dataclass(frozen=True, slots=True)
class FileScope:
    """What the files of one round may hold: what is due by `now` in these activations.

    `removals_sent`: the platform is sent removals. Elsewhere members who leave stand in no file.
    """

    activations: Sequence[int]
    now: datetime
    removals_sent: bool

    def values(self, bucket: int) -> dict[str, Any]:
        return {"activations": Ints.of(self.activations), "bucket": bucket, "now": self.now}


def due(cursor: Cursor[Any], scope: FileScope, bucket: int) -> list[DueRow]:
    """Returns what is due in the bucket."""
    cursor.execute(DUE[scope.removals_sent], scope.values(bucket))
    return cursor.fetchall()


@dataclass(frozen=True, slots=True)
class IdList:
    """Ids of one activation of which the same is wanted: `rows` of them, each with a line end after it."""

    activation: int
    wanted: bool
    rows: int
    ids: str


def id_lists(cursor: Cursor[Any], scope: FileScope, bucket: int) -> list[IdList] | None:
    """Returns what is due in the bucket as lists of ids. None where some id cannot stand in a list."""
    cursor.execute(LISTED[scope.removals_sent], scope.values(bucket))
    found = cursor.fetchall()
    if any(_STRANGE.search(ids) or ids.count("\n") != rows - 1 for _, _, rows, ids in found):
        return None
    return [IdList(activation, wanted, rows, f"{ids}\n") for activation, wanted, rows, ids in found]


def done(
    cursor: Cursor[Any], lease: Lease, batch: UUID, rows: Sequence[FileRow], now: datetime, expires_at: datetime | None
) -> None:
    """The file was uploaded. Rows of which something else is wanted by now are due again."""
    values = {"platform": lease.platform, "lane": lease.lane, "fence": lease.fence, "batch": batch, "now": now}
    with counted(cursor, locked=False) as changes:
        changes.execute(DONE, {**values, **_columns(rows), "expires_at": expires_at})


def unknown(cursor: Cursor[Any], lease: Lease, rows: Sequence[FileRow], now: datetime) -> None:
    """The file may have arrived: nobody knows what the platform holds of these rows. They are due."""
    values = {"platform": lease.platform, "lane": lease.lane, "fence": lease.fence, "now": now}
    with counted(cursor, locked=False) as changes:
        changes.execute(UNKNOWN, {**values, **_columns(rows)})


def left_open(cursor: Cursor[Any], activations: Sequence[int], bucket: int, since: datetime, now: datetime) -> None:
    """Mark as unknown what a sender that died may have sent of a bucket, which the caller holds.

    `since`: when that sender began.
    """
    values = {"activations": Ints.of(activations), "bucket": bucket, "since": since, "now": now}
    with counted(cursor, locked=True) as changes:
        changes.execute(LEFT_OPEN, values)


def claim(cursor: Cursor[Any], batch: UUID, rows: Sequence[FileRow]) -> None:
    """Mark a few rows that cannot stand in a file, so that they can be recorded as dead."""
    with counted(cursor, locked=False) as changes:
        changes.execute(CLAIM, {"batch": batch, **_columns(rows)})


def _columns(rows: Sequence[FileRow]) -> dict[str, Any]:
    buckets, activations, wanted, ids = columns((SmallInts, Ints, Bools, Texts), sorted(rows))
    return {"buckets": buckets, "activations": activations, "wanted": wanted, "ids": ids}
