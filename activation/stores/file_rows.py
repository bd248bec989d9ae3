"""The SQL of the rows of files: read a bucket at a time, finished from the list that was written beside each file.

They are not claimed one by one, which would cost more than all the rest: the lane is marked open before anything is
read. While it is open, a row that is due stays due, whatever its user does (`desired_state`); so what a dead sender
may have sent is always sent again with the next file.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Cursor

from activation.delivery.lanes import Lease
from core.arrays import Bools, Ints, SmallInts, Texts, columns

DUE = """
SELECT activation_id, wanted, platform_user_id, user_id FROM delivery
WHERE activation_id = ANY(%(activations)s) AND wanted = ANY('{false,true}') AND bucket = %(bucket)s
  AND due_at <= %(now)s
"""
LISTED = """
SELECT activation_id, wanted, count(*), string_agg(platform_user_id, chr(10)) FROM delivery
WHERE activation_id = ANY(%(activations)s) AND wanted = ANY('{false,true}') AND bucket = %(bucket)s
  AND due_at <= %(now)s
GROUP BY activation_id, wanted
"""
# characters that would make a list read as other ids
STRANGE = re.compile(r"[\x00-\x09\x0b-\x1f\x85\u2028\u2029]|\n\n|\A\n|\n\Z").search
# A sender whose lane is somebody else's by now changes nothing.
DONE = """
UPDATE delivery d SET claim = NULL, acknowledged = k.wanted, attempts = 0, error = '', changed_at = %(now)s,
    batch = %(batch)s, expires_at = CASE WHEN k.wanted THEN %(expires_at)s::timestamptz END,
    due_at = CASE WHEN d.wanted <> k.wanted THEN %(now)s::timestamptz END
FROM unnest(%(buckets)s, %(activations)s, %(wanted)s, %(ids)s) AS k (bucket, activation_id, wanted, platform_user_id)
WHERE d.bucket = k.bucket AND d.activation_id = k.activation_id AND d.platform_user_id = k.platform_user_id
  AND EXISTS (SELECT 1 FROM lane WHERE platform_id = %(platform)s AND lane = %(lane)s AND fence = %(fence)s)
"""
CLAIM = """
UPDATE delivery d SET claim = %(batch)s, attempts = d.attempts + 1
FROM unnest(%(buckets)s, %(activations)s, %(wanted)s, %(ids)s) AS k (bucket, activation_id, wanted, platform_user_id)
WHERE d.bucket = k.bucket AND d.activation_id = k.activation_id AND d.platform_user_id = k.platform_user_id
  AND d.wanted = k.wanted
"""


DueRow = tuple[int, bool, str, UUID]  # activation, wanted, the platform's id, the user's
FileRow = tuple[int, int, bool, str]  # bucket, activation, wanted, the platform's id


def due(cursor: Cursor[Any], activations: Sequence[int], bucket: int, now: datetime) -> list[DueRow]:
    """Returns what is due in the bucket."""
    cursor.execute(DUE, {"activations": Ints.of(activations), "bucket": bucket, "now": now})
    return cursor.fetchall()


@dataclass(frozen=True, slots=True)
class IdList:
    """Ids of one activation of which the same is wanted: `rows` of them, each with a line end after it."""

    activation: int
    wanted: bool
    rows: int
    ids: str


def id_lists(cursor: Cursor[Any], activations: Sequence[int], bucket: int, now: datetime) -> list[IdList] | None:
    """Returns what is due in the bucket as lists of ids. None where some id cannot stand in a list."""
    cursor.execute(LISTED, {"activations": Ints.of(activations), "bucket": bucket, "now": now})
    found = cursor.fetchall()
    if any(STRANGE(ids) or ids.count("\n") != rows - 1 for _, _, rows, ids in found):
        return None
    return [IdList(activation, wanted, rows, f"{ids}\n") for activation, wanted, rows, ids in found]


def done(
    cursor: Cursor[Any], lease: Lease, batch: UUID, rows: Sequence[FileRow], now: datetime, expires_at: datetime | None
) -> None:
    """The file was uploaded. Rows of which something else is wanted by now are due again."""
    values = {"platform": lease.platform, "lane": lease.lane, "fence": lease.fence, "batch": batch, "now": now}
    cursor.execute(DONE, {**values, **_columns(rows), "expires_at": expires_at})


def claim(cursor: Cursor[Any], batch: UUID, rows: Sequence[FileRow]) -> None:
    """Mark a few rows that cannot stand in a file, so that they can be recorded as dead."""
    cursor.execute(CLAIM, {"batch": batch, **_columns(rows)})


def _columns(rows: Sequence[FileRow]) -> dict[str, Any]:
    buckets, activations, wanted, ids = columns((SmallInts, Ints, Bools, Texts), sorted(rows))
    return {"buckets": buckets, "activations": activations, "wanted": wanted, "ids": ids}
