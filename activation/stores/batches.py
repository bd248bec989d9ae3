"""The SQL of `batch`, the delivery log: one row a claim (or file), written before it is sent and completed after it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import Cursor

from activation.models import Batch
from core.buckets import BUCKETS
from core.database import Connection
from integrations.answers.meaning import EXCERPT
from integrations.http import Request

# requests that belong to no lane of members (segments, files) are logged in this bucket
OWN_BUCKET = 0
# so many broken uploads are looked after at once
MOST_LEFT_BEHIND = 20
REMOVED = "what this left at the platform was removed by a later upload"
# an unfinished batch older than this was marked by an earlier look
REMEMBERED = timedelta(hours=1)

START = """
INSERT INTO batch (bucket, id, platform_id, activations, operation, status, rows, accepted, request_excerpt,
                   response_excerpt, error, started_at)
VALUES (%s, %s, %s, %s::jsonb, %s, %s, %s, 0, %s, '', '', %s)
"""
# Part of the statement that claims rows (`changed`): the row of their batch, also where it is not the first such
# statement of the batch.
LOGGED = """
INSERT INTO batch AS kept (bucket, id, platform_id, activations, operation, status, rows, accepted, request_excerpt,
                           response_excerpt, error, started_at)
SELECT %(log_bucket)s::smallint, %(claim)s::uuid, %(platform)s::int, (
           SELECT jsonb_agg(id ORDER BY id) FROM (
               SELECT activation_id FROM changed UNION SELECT * FROM unnest(%(activations_before)s::int[])) AS a (id)),
       %(operation)s, %(sending)s, %(rows_before)s::int + count(*), 0, '', '', '', %(now)s::timestamptz
FROM changed HAVING count(*) > 0
ON CONFLICT (bucket, id) DO UPDATE SET rows = excluded.rows, activations = excluded.activations
"""
FINISH = """
UPDATE batch SET status = %(status)s, rows = %(rows)s, accepted = %(accepted)s, requests = %(requests)s,
                 bytes = %(bytes)s, response_status = %(response_status)s, response_excerpt = %(response)s,
                 error = %(batch_error)s, finished_at = %(now)s,
                 request_excerpt = CASE WHEN %(request)s = '' THEN request_excerpt ELSE %(request)s END
WHERE bucket = %(log_bucket)s AND id = %(id)s
"""
# of senders that died: started under a lease that has run out since
ABANDON = """
UPDATE batch SET status = %s, error = 'the sender died', finished_at = %s
WHERE platform_id = %s AND bucket = %s AND status = %s AND started_at > %s
"""
# where no lane is leased, the senders have died
UNDER_WAY = """
SELECT b.platform_id, min(b.started_at) FROM batch b
WHERE b.bucket = ANY(%s::smallint[]) AND b.status = %s AND b.started_at > %s
  AND EXISTS (SELECT 1 FROM lane l WHERE l.platform_id = b.platform_id AND l.leased_until > now())
GROUP BY b.platform_id
"""
UNFINISHED_SINCE = """
SELECT min(started_at) FROM batch WHERE bucket = %s AND platform_id = %s AND operation = %s AND status = %s
"""
# files whose uploads broke off, or whose senders died: something of them may lie at the platform
LEFT_BEHIND = """
SELECT id, request_excerpt FROM batch
WHERE bucket = %s AND platform_id = %s AND operation = 'file' AND status = 'unknown' AND response_excerpt = ''
  AND request_excerpt <> '' AND started_at > %s
ORDER BY started_at DESC LIMIT %s
"""
NOTE_REMOVED = "UPDATE batch SET response_excerpt = %s WHERE bucket = %s AND id = ANY(%s::uuid[])"
SET_ACTIVATIONS = "UPDATE batch SET activations = %s::jsonb WHERE bucket = %s AND id = %s"
ACTIVATIONS = "SELECT activations FROM batch WHERE bucket = ANY(%s) AND id = %s"
REFUSE = """
UPDATE batch SET status = 'failed', accepted = 0, error = %s WHERE bucket = ANY(%s) AND id = %s AND platform_id = %s
"""
FAILED_CREATIONS = """
SELECT count(*), max(started_at), count(*) FILTER (WHERE status IN ('unknown', 'sending')) FROM batch
WHERE bucket = %s AND platform_id = %s AND operation = 'create' AND activations = %s::jsonb AND status <> 'done'
"""
DELETE_OF_PLATFORM = "DELETE FROM batch WHERE bucket = %s AND platform_id = %s"
DELETE_OLDER = "DELETE FROM batch WHERE bucket = %s AND platform_id = ANY(%s::int[]) AND started_at < %s"


@dataclass(slots=True)
class BatchRecord:
    """A row of the log while its batch is under way. `unanswered`: nobody knows what became of a request."""

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
        """Returns the status of the batch, by what came of its rows."""
        if self.accepted == self.rows and not self.error:
            return Batch.Status.DONE
        if self.unanswered:
            return Batch.Status.UNKNOWN
        return Batch.Status.PARTIAL if self.accepted else Batch.Status.FAILED


def excerpt(request: Request) -> str:
    """Returns what of a request may be shown in the log."""
    body = (request.body or b"")[:EXCERPT].decode("utf-8", "replace")
    return f"{request.method} {request.url}\n{body}"


class FailedCreations(NamedTuple):
    """Attempts to create a segment that failed. `cut_offs`: of so many nobody knows whether they were applied."""

    number: int
    last: datetime | None
    cut_offs: int

    @property
    def cut_off(self) -> bool:
        return self.cut_offs > 0


def abandon(cursor: Cursor[Any], platform: int, bucket: int, now: datetime, since: datetime | None = None) -> None:
    """Mark what the lane's former sender left open, started after `since`; the caller has just leased the lane."""
    values = [Batch.Status.UNKNOWN, now, platform, bucket, Batch.Status.SENDING, since or now - REMEMBERED]
    cursor.execute(ABANDON, values)


def unfinished_since(cursor: Cursor[Any], platform: int, bucket: int, operation: str) -> datetime | None:
    """Returns when the first batch was started whose sender has not completed it. None where all are complete."""
    cursor.execute(UNFINISHED_SINCE, [bucket, platform, operation, Batch.Status.SENDING])
    row = cursor.fetchone()
    return None if row is None else row[0]


def start(
    cursor: Cursor[Any],
    record: BatchRecord,
    platform: int,
    activations: Sequence[int],
    operation: str,
    now: datetime,
) -> None:
    """Write the row, before anything is sent."""
    place = [record.bucket, record.id, platform, str(list(activations)), operation, Batch.Status.SENDING]
    cursor.execute(START, [*place, record.rows, storable(record.request_excerpt), now])


def finish(cursor: Cursor[Any], record: BatchRecord, now: datetime, status: str | None = None) -> None:
    """Complete the row; by what came of its rows, unless `status` says otherwise."""
    cursor.execute(FINISH, finish_values(record, now, status))


def finish_values(record: BatchRecord, now: datetime, status: str | None = None) -> dict[str, Any]:
    """Returns the values of `FINISH`."""
    return {
        "status": status or record.outcome(),
        "rows": record.rows,
        "accepted": record.accepted,
        "requests": record.requests,
        "bytes": record.bytes,
        "response_status": record.status,
        "request": storable(record.request_excerpt),
        "response": storable(record.response_excerpt),
        "batch_error": storable(record.error),
        "now": now,
        "log_bucket": record.bucket,
        "id": record.id,
    }


def set_activations(cursor: Cursor[Any], record: BatchRecord, activations: Sequence[int]) -> None:
    """Note whose members the batch holds, where that was not known when it began."""
    cursor.execute(SET_ACTIVATIONS, [str(list(activations)), record.bucket, record.id])


def left_behind(cursor: Cursor[Any], platform: int, since: datetime) -> dict[str, UUID]:
    """Returns files, by name, of which something may lie at the platform since then: the newest of them."""
    cursor.execute(LEFT_BEHIND, [OWN_BUCKET, platform, since, MOST_LEFT_BEHIND])
    return {name: batch for batch, name in cursor}


def note_removed(cursor: Cursor[Any], ids: Sequence[UUID]) -> None:
    """Note that what these files had left at the platform is removed."""
    if ids:
        cursor.execute(NOTE_REMOVED, [REMOVED, OWN_BUCKET, list(ids)])


def refuse(connection: Connection, platform: int, batch: UUID, error: str) -> None:
    """Mark a batch that the platform refused afterwards."""
    connection.execute(REFUSE, [error, list(range(BUCKETS)), batch, platform])


def activations(connection: Connection, batch: UUID) -> list[int] | None:
    """Returns the activations whose members a batch holds; None where it is forgotten."""
    row = connection.execute(ACTIVATIONS, [list(range(BUCKETS)), batch]).fetchone()
    return row[0] if row else None


def failed_creations(cursor: Cursor[Any], platform: int, activation: int) -> FailedCreations:
    """Returns the failed attempts to create the activation's segment."""
    cursor.execute(FAILED_CREATIONS, [OWN_BUCKET, platform, str([activation])])
    return FailedCreations(*(cursor.fetchone() or (0, None, 0)))


def under_way(connection: Connection, since: datetime) -> dict[int, datetime]:
    """Returns, by platform, when the first batch since then began whose record is still to be completed."""
    found = connection.execute(UNDER_WAY, [list(range(BUCKETS)), Batch.Status.SENDING, since])
    return dict(found.fetchall())


def delete_of_platform(cursor: Cursor[Any], bucket: int, platform: int) -> None:
    """Delete the bucket's batches of a platform that is deleted."""
    cursor.execute(DELETE_OF_PLATFORM, [bucket, platform])


def delete_older(connection: Connection, bucket: int, platforms: Sequence[int], before: datetime) -> None:
    """Delete the bucket's batches that were started before."""
    connection.execute(DELETE_OLDER, [bucket, platforms, before])


def storable(text: str) -> str:
    """Returns the text without the one character that PostgreSQL cannot keep."""
    return text.replace("\0", "")
