"""Bad rows: rows of the inbox that could not be used, kept where people can read, correct and replay them."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, NamedTuple

import msgspec
from django.db import connection, transaction
from django.db.models import QuerySet
from psycopg import Cursor

from core import audit, clock
from core.buckets import BUCKETS
from core.database import Connection
from core.inbox import InboxKind
from core.mentions import Mentions, mentions, mentions_in_bytes
from core.models import BadRow
from core.patterns import whole
from core.transactions import wake_when_committed
from core.wakeups import ABSORB
from pipeline.absorb.rows import InboxRow, delete

MOST = 10_000
"""Rows that one call puts back."""

NAME = "[0-9]{1,3}-[0-9]{1,18}"
"""The form of a row's name."""
is_name = whole(NAME)
"""How a bad row is named outside: bucket and id."""

KEEP = """
INSERT INTO bad_row (bucket, id, customer_id, kind, query, body, reason, received_at, failed_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (bucket, id) DO UPDATE SET reason = excluded.reason, failed_at = excluded.failed_at
"""
WHOSE = """
SELECT customer_id, count(*) FROM bad_row JOIN unnest(%s::smallint[], %s::bigint[]) AS k (bucket, id)
    ON bad_row.bucket = k.bucket AND bad_row.id = k.id
WHERE bad_row.bucket = ANY(%s) GROUP BY customer_id
"""
REPLAY = """
WITH mended AS (
    DELETE FROM bad_row USING unnest(%s::smallint[], %s::bigint[]) AS k (bucket, id)
    WHERE bad_row.bucket = k.bucket AND bad_row.id = k.id
    RETURNING bad_row.bucket, kind, query, body, received_at)
INSERT INTO inbox (bucket, kind, query, body, received_at) SELECT * FROM mended
"""
LONGEST_REASON = 1_000


class BadPart(NamedTuple):
    """A part of a row that could not be used, and why. The row holds what is to be replayed."""

    row: InboxRow
    customer: int | None
    reason: str


class _CustomerOf(msgspec.Struct):
    customer: Annotated[int, msgspec.Meta(ge=0, lt=2**31)] | None = None


def move(cursor: Cursor[Any], row: InboxRow, reason: str) -> None:
    """Move a row from the inbox to the bad rows. The caller holds its bucket."""
    cursor.execute(KEEP, _values(row, _customer(row), reason, clock.now()))
    delete(cursor, [row])


def keep_parts(cursor: Cursor[Any], parts: Iterable[BadPart], now: datetime) -> None:
    """Keep a copy of each row of which some part could not be used, with all its reasons."""
    reasons: dict[InboxRow, list[str]] = defaultdict(list)
    customers: dict[InboxRow, int | None] = {}
    for part in parts:
        reasons[part.row].append(part.reason)
        customers[part.row] = part.customer
    if reasons:
        cursor.executemany(
            KEEP, [_values(row, customers[row], "; ".join(found), now) for row, found in reasons.items()]
        )


def _values(row: InboxRow, customer: int | None, reason: str, now: datetime) -> list[Any]:
    text = reason[:LONGEST_REASON].replace("\0", "")
    return [row.bucket, row.id, customer, row.kind, row.query, row.body, text, row.received_at, now]


def _customer(row: InboxRow) -> int | None:
    try:
        return msgspec.json.decode(row.query, type=_CustomerOf).customer
    except (msgspec.DecodeError, RecursionError):
        return None


DELETE_MENTIONING = f"""
DELETE FROM bad_row WHERE bucket = ANY(%(buckets)s::smallint[]) AND customer_id = %(customer)s
AND ({mentions_in_bytes("query")} OR {mentions_in_bytes("body")} OR {mentions("reason")})
"""
DELETE_OLDER = "DELETE FROM bad_row WHERE bucket = %s AND customer_id = %s AND failed_at < %s"


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
    """Put these (bucket, id)s back into the inbox; returns how many there were."""
    rows = sorted(keys)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(WHOSE, [[bucket for bucket, _ in rows], [row for _, row in rows], list(range(BUCKETS))])
        for customer, number in cursor.fetchall():
            audit.record("replay", "bad_row", customer=customer, after={"rows": number})
        cursor.execute(REPLAY, [[bucket for bucket, _ in rows], [row for _, row in rows]])
        replayed: int = cursor.rowcount
        wake_when_committed(ABSORB, 0)
    return replayed


def replay_all(rows: QuerySet[BadRow]) -> int:
    """Put these back, oldest first and up to `MOST`; returns how many. Call it again while it returns `MOST`."""
    return replay(rows.order_by("failed_at", "bucket", "id").values_list("bucket", "id")[:MOST])


def delete_mentioning(connection: Connection, customer: int, ids: Mentions) -> None:
    """Delete the customer's bad rows that quote one of the ids, wherever in the row."""
    connection.execute(DELETE_MENTIONING, {"buckets": list(range(BUCKETS)), "customer": customer, **ids.values})


def delete_older(connection: Connection, bucket: int, customer: int, before: datetime) -> None:
    """Delete the customer's bad rows of one bucket that failed `before` then."""
    connection.execute(DELETE_OLDER, [bucket, customer, before])
