"""Bad rows go back to the inbox once their cause is mended."""

from collections.abc import Iterable

from django.db import connection, transaction
from django.db.models import QuerySet

from core.models import BadRow
from core.transactions import wake_when_committed
from core.wakeups import ABSORB

MOST = 10_000
"""Rows that one call puts back."""

REPLAY = """
WITH mended AS (
    DELETE FROM bad_row USING unnest(%s::smallint[], %s::bigint[]) AS k (bucket, id)
    WHERE bad_row.bucket = k.bucket AND bad_row.id = k.id
    RETURNING bad_row.bucket, kind, query, body, received_at)
INSERT INTO inbox (bucket, kind, query, body, received_at) SELECT * FROM mended
"""


def replay(keys: Iterable[tuple[int, int]]) -> int:
    """Put these (bucket, id)s back into the inbox; answers how many there were."""
    rows = sorted(keys)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(REPLAY, [[bucket for bucket, _ in rows], [row for _, row in rows]])
        replayed: int = cursor.rowcount
        wake_when_committed(ABSORB, 0)
    return replayed


def replay_all(rows: QuerySet[BadRow]) -> int:
    """Put these back, oldest first and up to `MOST`; answers how many. Call it again while it answers as many."""
    return replay(rows.order_by("failed_at", "bucket", "id").values_list("bucket", "id")[:MOST])
