"""The delivery log: one row a request, written before it is sent and completed after it."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg import Cursor

from activation.models import Batch

START = """
INSERT INTO batch (bucket, id, platform_id, activations, operation, status, rows, accepted, request_excerpt,
                   response_excerpt, error, started_at)
VALUES (%s, %s, %s, %s::jsonb, %s, %s, %s, 0, %s, '', '', %s)
"""
FINISH = """
UPDATE batch SET status = %s, accepted = %s, response_status = %s, response_excerpt = %s, error = %s,
                 finished_at = %s
WHERE bucket = %s AND id = %s
"""
# whose sender died: started under a lease that has run out since
ABANDON = """
UPDATE batch SET status = %s, error = 'the sender died', finished_at = %s
WHERE platform_id = %s AND bucket = %s AND status = %s AND started_at > %s
"""
REMEMBERED = timedelta(hours=1)


def abandon(cursor: Cursor[Any], platform: int, bucket: int, now: datetime) -> None:
    """Mark what the lane's former sender left open; the caller has just leased the lane."""
    values = [Batch.Status.UNKNOWN, now, platform, bucket, Batch.Status.SENDING, now - REMEMBERED]
    cursor.execute(ABANDON, values)


def start(
    cursor: Cursor[Any], bucket: int, batch: UUID, platform: int, activations: list[int], operation: str,
    rows: int, request_excerpt: str, now: datetime,
) -> None:  # fmt: skip
    values = [
        bucket,
        batch,
        platform,
        str(activations),
        operation,
        Batch.Status.SENDING,
        rows,
        request_excerpt,
        now,
    ]
    cursor.execute(START, values)


def finish(
    cursor: Cursor[Any], bucket: int, batch: UUID, status: str, accepted: int, response: tuple[int, str] | None,
    error: str, now: datetime,
) -> None:  # fmt: skip
    code, excerpt = response or (None, "")
    values = [status, accepted, code, _stored(excerpt), _stored(error), now, bucket, batch]
    cursor.execute(FINISH, values)


def _stored(text: str) -> str:
    return text.replace("\0", "")
