"""The SQL of `uploaded_file`: files that platforms received, and what their processing logs say of them."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from activation.models import UploadedFile
from core.database import Connection
from integrations.connectors.files import FileReport, FileStatus

KEPT = timedelta(days=30)

INSERT = """
INSERT INTO uploaded_file (platform_id, file_name, batch, rows, fate, reason, uploaded_at, ask_at)
VALUES (%s, %s, %s, %s, %s, '', %s, %s) ON CONFLICT (platform_id, file_name) DO NOTHING
"""
EXISTS = "SELECT 1 FROM uploaded_file WHERE platform_id = %s AND file_name = %s"
IS_DUE = """
SELECT 1 FROM uploaded_file WHERE platform_id = %s AND ask_at <= %s LIMIT 1
"""
WAITING = """
SELECT file_name, batch FROM uploaded_file WHERE platform_id = %s AND ask_at IS NOT NULL
"""
POSTPONE = """
UPDATE uploaded_file SET reason = %(error)s,
    ask_at = CASE WHEN uploaded_at > %(oldest)s THEN %(next)s::timestamptz END
WHERE platform_id = %(platform)s AND ask_at IS NOT NULL
"""
RECORD = """
UPDATE uploaded_file SET fate = %s, reason = %s, ask_at = NULL WHERE platform_id = %s AND file_name = %s
"""
LATEST = """
SELECT fate FROM uploaded_file WHERE platform_id = %s AND fate <> %s ORDER BY uploaded_at DESC, file_name DESC LIMIT %s
"""
FORGET = "DELETE FROM uploaded_file WHERE uploaded_at < %s"


def add(
    connection: Connection, platform: int, name: str, batch: UUID, rows: int, now: datetime, ask_at: datetime | None
) -> None:
    """Remember a file that was uploaded. `ask_at`: when to look into the processing log; None where there is none."""
    connection.execute(INSERT, [platform, name, batch, rows, FileStatus.WAITING, now, ask_at])


def exists(connection: Connection, platform: int, name: str) -> bool:
    return connection.execute(EXISTS, [platform, name]).fetchone() is not None


def is_due(connection: Connection, platform: int, now: datetime) -> bool:
    """Whether there are files to ask about."""
    return connection.execute(IS_DUE, [platform, now]).fetchone() is not None


def waiting(connection: Connection, platform: int) -> dict[str, UUID]:
    """Returns the files of which the platform has said nothing yet, with their batches."""
    return dict(connection.execute(WAITING, [platform]).fetchall())


def postpone(connection: Connection, platform: int, error: str, oldest: datetime, next_at: datetime) -> None:
    """Ask about the waiting files again at `next_at`, but never again about those from before `oldest`."""
    connection.execute(POSTPONE, {"platform": platform, "oldest": oldest, "next": next_at, "error": error})


def record(connection: Connection, platform: int, report: FileReport) -> None:
    """Record what the processing log says of a file."""
    connection.execute(RECORD, [report.status, report.reason, platform, report.file_name])


def latest(connection: Connection, platform: int, most: int) -> list[str]:
    """Returns the status of the latest files of which the log has spoken, the latest first."""
    return [status for (status,) in connection.execute(LATEST, [platform, FileStatus.WAITING, most])]


def forget(connection: Connection, now: datetime) -> None:
    """Delete what is older than `KEPT`."""
    connection.execute(FORGET, [now - KEPT])


def by_batch(batches: Iterable[UUID]) -> dict[UUID, UploadedFile]:
    """Returns the files of these batches, where the batches were files."""
    return {file.batch: file for file in UploadedFile.objects.filter(batch__in=list(batches))}
