"""The delivery log: one row a claim (or file), written before it is sent and completed after it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg import Cursor

from activation.delivery.outcomes import stored
from activation.models import Batch

START = """
INSERT INTO batch (bucket, id, platform_id, activations, operation, status, rows, accepted, request_excerpt,
                   response_excerpt, error, started_at)
VALUES (%s, %s, %s, %s::jsonb, %s, %s, %s, 0, %s, '', '', %s)
"""
FINISH = """
UPDATE batch SET status = %s, rows = %s, accepted = %s, requests = %s, bytes = %s, response_status = %s,
                 response_excerpt = %s, error = %s, finished_at = %s,
                 request_excerpt = CASE WHEN %s = '' THEN request_excerpt ELSE %s END
WHERE bucket = %s AND id = %s
"""
# whose sender died: started under a lease that has run out since
ABANDON = """
UPDATE batch SET status = %s, error = 'the sender died', finished_at = %s
WHERE platform_id = %s AND bucket = %s AND status = %s AND started_at > %s
"""
REMEMBERED = timedelta(hours=1)


@dataclass(slots=True)
class Entry:
    """A line of the log, while its batch is under way."""

    bucket: int
    id: UUID
    rows: int
    accepted: int = 0
    requests: int = 0
    bytes: int = 0
    status: int | None = None
    request_excerpt: str = ""
    response_excerpt: str = ""
    error: str = ""
    unanswered: bool = False

    def outcome(self) -> str:
        """By what came of the rows."""
        if self.accepted == self.rows and not self.error:
            return Batch.Status.DONE
        if self.unanswered:
            return Batch.Status.UNKNOWN
        return Batch.Status.PARTIAL if self.accepted else Batch.Status.FAILED


def abandon(cursor: Cursor[Any], platform: int, bucket: int, now: datetime) -> None:
    """Mark what the lane's former sender left open; the caller has just leased the lane."""
    values = [Batch.Status.UNKNOWN, now, platform, bucket, Batch.Status.SENDING, now - REMEMBERED]
    cursor.execute(ABANDON, values)


def start(
    cursor: Cursor[Any], entry: Entry, platform: int, activations: list[int], operation: str, now: datetime
) -> None:
    values = [
        entry.bucket,
        entry.id,
        platform,
        str(activations),
        operation,
        Batch.Status.SENDING,
        entry.rows,
        stored(entry.request_excerpt),
        now,
    ]
    cursor.execute(START, values)


def finish(cursor: Cursor[Any], entry: Entry, now: datetime, status: str | None = None) -> None:
    request = stored(entry.request_excerpt)
    values = [
        status or entry.outcome(),
        entry.rows,
        entry.accepted,
        entry.requests,
        entry.bytes,
        entry.status,
        stored(entry.response_excerpt),
        stored(entry.error),
        now,
        request,
        request,
        entry.bucket,
        entry.id,
    ]
    cursor.execute(FINISH, values)
