"""What became of uploaded files, where the platform keeps a processing log: asked until it has said.

A refused file is fed back to its rows: they are due again, with the platform's words. Three refused files in a row
break the activations that were in the last of them: a person has to act.
"""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from django.core.exceptions import ValidationError
from psycopg import Cursor

from activation.delivery import broken, lanes
from activation.delivery.outcomes import stored
from activation.delivery.targets import Target, target
from core import clock
from core.buckets import BUCKETS
from integrations.connectors.files import FileConnector, FileReport, FileStatus
from integrations.errors import IntegrationError
from integrations.services import send_request

Connection = psycopg.Connection[tuple[Any, ...]]

EVERY = timedelta(minutes=1)
# a file that the log does not name in so long is not asked about any more
ASKED_FOR = timedelta(days=2)
MOST_PAGES = 50
IN_A_ROW = 3
KEPT = timedelta(days=30)

UPLOADED = """
INSERT INTO uploaded_file (platform_id, file_name, batch, rows, fate, reason, uploaded_at, ask_at)
VALUES (%s, %s, %s, %s, %s, '', %s, %s) ON CONFLICT (platform_id, file_name) DO NOTHING
"""
DUE = """
SELECT 1 FROM uploaded_file WHERE platform_id = %s AND ask_at <= %s LIMIT 1
"""
WAITING = """
SELECT file_name, batch FROM uploaded_file WHERE platform_id = %s AND ask_at IS NOT NULL
"""
ASKED = """
UPDATE uploaded_file SET reason = %(error)s,
    ask_at = CASE WHEN uploaded_at > %(oldest)s THEN %(next)s::timestamptz END
WHERE platform_id = %(platform)s AND ask_at IS NOT NULL
"""
TOLD = """
UPDATE uploaded_file SET fate = %s, reason = %s, ask_at = NULL WHERE platform_id = %s AND file_name = %s
"""
REFUSED_BATCH = """
UPDATE batch SET status = 'failed', accepted = 0, error = %s WHERE bucket = ANY(%s) AND id = %s AND platform_id = %s
"""
# rows that were sent again since, or are being sent, bear another mark
REFUSED_ROWS = """
UPDATE delivery SET acknowledged = NULL, error = %(error)s, changed_at = %(now)s, due_at = %(now)s
WHERE bucket = ANY(%(buckets)s) AND activation_id = ANY(%(activations)s) AND batch = %(batch)s AND claim IS NULL
  AND NOT dead
"""
LAST_FATES = """
SELECT fate FROM uploaded_file WHERE platform_id = %s AND fate <> %s ORDER BY uploaded_at DESC, file_name DESC LIMIT %s
"""
ACTIVATIONS = "SELECT activations FROM batch WHERE bucket = ANY(%s) AND id = %s"
FORGET = "DELETE FROM uploaded_file WHERE uploaded_at < %s"


def uploaded(
    cursor: Cursor[Any], connector: FileConnector, platform: int, name: str, batch: UUID, rows: int, now: datetime
) -> None:
    """Remember a file, to ask about it where the platform can be asked."""
    ask_at = None if connector.log_request(0) is None else now + EVERY
    cursor.execute(UPLOADED, [platform, name, batch, rows, FileStatus.WAITING, now, ask_at])


def is_due(connection: Connection, platform: int, now: datetime) -> bool:
    """Whether there are files to ask about."""
    return connection.execute(DUE, [platform, now]).fetchone() is not None


def look(connection: Connection, platform: int) -> int:
    """Ask about the platform's files where it is time to; answers of how many it has spoken."""
    now = clock.now()
    if not is_due(connection, platform, now):
        return 0
    with connection.cursor() as cursor:
        try:
            found = target(cursor, platform)
        except ValidationError:
            return 0
        lease = found and lanes.lease(cursor, platform, lanes.CREATION, now, found.lease_duration)
        if not found or not lease:
            return 0
        told = ask(connection, found, now)
        lease.release(cursor)
        return told


def ask(connection: Connection, target: Target, now: datetime) -> int:
    """Ask about the files that nothing is known of; answers of how many the platform has spoken.

    The caller holds the platform's creation lane. An answer that cannot be read stands beside the files.
    """
    connector = target.connector
    waiting: dict[str, UUID] = dict(connection.execute(WAITING, [target.platform]).fetchall())
    if not isinstance(connector, FileConnector) or connector.log_request(0) is None or not waiting:
        return 0
    error = ""
    verdicts: dict[str, FileReport] = {}
    try:
        verdicts = _verdicts(connector, set(waiting))
    except IntegrationError as failure:
        error = f"the processing log: {failure}"
    for name, verdict in verdicts.items():
        _told(connection, target, waiting[name], verdict, now)
    values = {"platform": target.platform, "oldest": now - ASKED_FOR, "next": now + EVERY, "error": stored(error)}
    connection.execute(ASKED, values)
    return len(verdicts)


def forget(cursor: Any, now: datetime) -> None:
    cursor.execute(FORGET, [now - KEPT])


def _verdicts(connector: FileConnector, names: set[str]) -> dict[str, FileReport]:
    """What the log says of these, page by page, until it has spoken of all or ends."""
    found: dict[str, FileReport] = {}
    offset = 0
    for _ in range(MOST_PAGES):
        request = connector.log_request(offset)
        if request is None:
            break
        said, entries = connector.read_log(send_request(connector, request))
        known = {one.file_name: one for one in said if one.file_name in names and one.status is not FileStatus.WAITING}
        found |= known
        offset += entries
        if not entries or found.keys() >= names:
            break
    return found


def _told(connection: Connection, target: Target, batch: UUID, verdict: FileReport, now: datetime) -> None:
    reason = stored(verdict.reason)
    with connection.transaction():
        connection.execute(TOLD, [verdict.status, reason, target.platform, verdict.file_name])
        if verdict.status is FileStatus.REFUSED:
            _refuse(connection, target, batch, f"{verdict.file_name} was refused: {reason or 'no reason given'}", now)


def _refuse(connection: Connection, target: Target, batch: UUID, error: str, now: datetime) -> None:
    every = list(range(BUCKETS))
    connection.execute(REFUSED_BATCH, [error, every, batch, target.platform])
    row = connection.execute(ACTIVATIONS, [every, batch]).fetchone()
    activations = sorted(row[0] if row else target.segments)
    values = {"activations": activations, "batch": batch, "error": error, "now": now}
    for lane in range(lanes.LANES):
        connection.execute(REFUSED_ROWS, {**values, "buckets": lanes.buckets_of(lane)})
    last = connection.execute(LAST_FATES, [target.platform, FileStatus.WAITING, IN_A_ROW]).fetchall()
    if len(last) == IN_A_ROW and all(fate == FileStatus.REFUSED for (fate,) in last):
        broken.broke(target.platform, activations, error)
