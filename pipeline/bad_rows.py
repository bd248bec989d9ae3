"""Bad rows: their names and texts as people read them, and their way back to the inbox once the cause is mended."""

import re
from collections.abc import Iterable

from django.db import connection, transaction
from django.db.models import QuerySet

from core.inbox import InboxKind
from core.models import BadRow
from core.transactions import wake_when_committed
from core.wakeups import ABSORB

MOST = 10_000
"""Rows that one call puts back."""

NAME = re.compile(r"(\d{1,3})-(\d{1,18})")
"""How a bad row is named outside: bucket and id."""

REPLAY = """
WITH mended AS (
    DELETE FROM bad_row USING unnest(%s::smallint[], %s::bigint[]) AS k (bucket, id)
    WHERE bad_row.bucket = k.bucket AND bad_row.id = k.id
    RETURNING bad_row.bucket, kind, query, body, received_at)
INSERT INTO inbox (bucket, kind, query, body, received_at) SELECT * FROM mended
"""


def name_of(row: BadRow) -> str:
    return f"{row.bucket}-{row.id}"


def key_of(name: str) -> tuple[int, int]:
    """Return the (bucket, id) of a row's name, which must match `NAME`."""
    bucket, _, number = name.partition("-")
    return int(bucket), int(number)


def kind_of(row: BadRow) -> str:
    """Return the name of the row's kind; the number where no kind has it any more."""
    return InboxKind(row.kind).name.lower() if row.kind in list(InboxKind) else str(row.kind)


def text_of(raw: bytes | memoryview | None) -> str | None:
    """Return bytes as they were sent, as far as they are text."""
    return None if raw is None else bytes(raw).decode(errors="replace")


def replay(keys: Iterable[tuple[int, int]]) -> int:
    """Put these (bucket, id)s back into the inbox. Returns how many there were."""
    rows = sorted(keys)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(REPLAY, [[bucket for bucket, _ in rows], [row for _, row in rows]])
        replayed: int = cursor.rowcount
        wake_when_committed(ABSORB, 0)
    return replayed


def replay_all(rows: QuerySet[BadRow]) -> int:
    """Put these back, oldest first and up to `MOST`. Returns how many: call it again while it returns `MOST`."""
    return replay(rows.order_by("failed_at", "bucket", "id").values_list("bucket", "id")[:MOST])
