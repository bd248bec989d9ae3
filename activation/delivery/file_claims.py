"""Claiming for files: a bucket at a time, both operations at once, each row for the file that its line goes into."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import Cursor

from activation.delivery.claims import Row
from edge.arrays import Bools, Ints, SmallInts, Texts, Uuids, columns

PAGE = 20_000

# whole ids: an id's changes of all segments go on one line
DUE = """
SELECT bucket, activation_id, platform_user_id, user_id, attempts, acknowledged, claim IS NOT NULL, wanted
FROM delivery
WHERE activation_id = ANY(%(activations)s) AND wanted = ANY('{false,true}') AND bucket = %(bucket)s
  AND due_at <= %(now)s
"""
CLAIM = """
UPDATE delivery d SET claim = k.claim, attempts = d.attempts + 1, acknowledged = NULL
FROM unnest(%(buckets)s, %(activations)s, %(ids)s, %(wanted)s, %(claims)s)
     AS k (bucket, activation_id, platform_user_id, wanted, claim)
WHERE d.bucket = k.bucket AND d.bucket = %(bucket)s AND d.activation_id = k.activation_id
  AND d.platform_user_id = k.platform_user_id AND d.wanted = k.wanted AND coalesce(d.due_at, 'infinity') <= %(now)s
"""


class Due(NamedTuple):
    """A row that is due, and what is wanted of it."""

    row: Row
    wanted: bool


def due(cursor: Cursor[Any], activations: Sequence[int], bucket: int, now: datetime) -> list[Due]:
    """What is due in the bucket, by id."""
    cursor.execute(DUE, {"activations": Ints.of(activations), "bucket": bucket, "now": now})
    found = [Due(Row(*values[:7]), values[7]) for values in cursor]
    return sorted(found, key=_by_id)


def claim(cursor: Cursor[Any], bucket: int, rows: Mapping[UUID, Sequence[Due]], now: datetime) -> bool:
    """Mark rows with the batches of their files; no, where some changed meanwhile: then nothing may be kept.

    In a transaction of the caller's.
    """
    marked = sorted(
        (bucket, due.row.activation, due.row.platform_user_id, due.wanted, batch)
        for batch, found in rows.items()
        for due in found
    )
    for page in _pages(marked):
        buckets, activations, ids, wanted, claims = columns((SmallInts, Ints, Texts, Bools, Uuids), page)
        values = {"buckets": buckets, "activations": activations, "ids": ids, "wanted": wanted, "claims": claims}
        cursor.execute(CLAIM, {**values, "bucket": bucket, "now": now})
        if cursor.rowcount != len(page):
            return False
    return True


def _by_id(due: Due) -> tuple[str, int]:
    return due.row.platform_user_id, due.row.activation


def _pages(rows: list[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(rows), PAGE):
        yield rows[start : start + PAGE]
