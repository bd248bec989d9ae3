"""Rows, and parts of rows, that could not be used: kept where they can be read, mended and replayed."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any

import msgspec
from psycopg import Cursor

from core import clock
from pipeline.absorb.rows import Row, delete
from pipeline.absorb.unit_of_work import Refused

KEEP = """
INSERT INTO bad_row (bucket, id, customer_id, kind, query, body, reason, received_at, failed_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (bucket, id) DO UPDATE SET reason = excluded.reason, failed_at = excluded.failed_at
"""
LONGEST_REASON = 1_000


class _Named(msgspec.Struct):
    customer: Annotated[int, msgspec.Meta(ge=0, lt=2**31)] | None = None


def whole(cursor: Cursor[Any], row: Row, reason: str) -> None:
    """Move a row from the inbox to the bad rows; the caller holds its bucket."""
    _keep(cursor, row, _customer(row), reason, clock.now())
    delete(cursor, [row])


def parts(cursor: Cursor[Any], refused: Iterable[Refused], now: datetime) -> None:
    """Keep a copy of rows of which some part could not be used."""
    reasons: dict[Row, list[str]] = defaultdict(list)
    customers: dict[Row, int | None] = {}
    for part in refused:
        reasons[part.row].append(part.reason)
        customers[part.row] = part.customer
    for row, told in reasons.items():
        _keep(cursor, row, customers[row], "; ".join(told), now)


def _keep(cursor: Cursor[Any], row: Row, customer: int | None, reason: str, now: datetime) -> None:
    cursor.execute(
        KEEP,
        [
            row.bucket,
            row.id,
            customer,
            row.kind,
            row.query,
            row.body,
            reason[:LONGEST_REASON].replace("\0", ""),
            row.received_at,
            now,
        ],
    )


def _customer(row: Row) -> int | None:
    try:
        return msgspec.json.decode(row.query, type=_Named).customer
    except (msgspec.DecodeError, RecursionError):
        return None
