"""Asks platforms that keep a processing log what became of uploaded files, until the log has said it of each.

A refused file is fed back to its rows: they are due again, with the platform's words. Three refused files in a row
break the activations that were in the last of them: a person has to act.
"""

from datetime import datetime, timedelta
from uuid import UUID

from activation.delivery import activation_status, lanes, targets
from activation.delivery.file_writer import FileWriter
from activation.delivery.targets import DeliveryTarget
from activation.stores import batches, deliveries, uploaded_files
from activation.stores.batches import storable
from core import clock
from core.database import Connection
from integrations.connectors.files import FileConnector, FileReport, FileStatus
from integrations.errors import IntegrationError
from integrations.services import send_request

EVERY = timedelta(minutes=1)
# a file that the log does not name in so long is not asked about any more
ASKED_FOR = timedelta(days=2)
MOST_PAGES = 50
IN_A_ROW = 3


def remember(connection: Connection, connector: FileConnector, platform: int, file: FileWriter, at: datetime) -> None:
    """Remember a file that was uploaded, to ask about it where the platform can be asked."""
    ask_at = None if connector.log_request(0) is None else at + EVERY
    uploaded_files.add(connection, platform, file.name, file.batch, file.rows, at, ask_at)


def look(connection: Connection, platform: int) -> int:
    """Ask about the platform's files where it is time to. Returns of how many the log has spoken."""
    at = clock.now()
    if not uploaded_files.is_due(connection, platform, at):
        return 0
    with connection.cursor() as cursor:
        target = targets.usable(cursor, platform)
        lease = target and lanes.lease(cursor, platform, lanes.CREATION, at, target.lease_duration)
        if not target or not lease:
            return 0
        spoken = ask(connection, target, at)
        lease.release(cursor)
        return spoken


def ask(connection: Connection, target: DeliveryTarget, at: datetime) -> int:
    """Ask about the files that nothing is known of. Returns of how many the log has spoken.

    The caller holds the platform's creation lane. A log that cannot be read is noted beside the files.
    """
    connector = target.connector
    waiting = uploaded_files.waiting(connection, target.platform)
    if not isinstance(connector, FileConnector) or connector.log_request(0) is None or not waiting:
        return 0
    error = ""
    reports: dict[str, FileReport] = {}
    try:
        reports = _reports(connector, set(waiting))
    except IntegrationError as failure:
        error = f"the processing log: {failure}"
    for name, report in reports.items():
        _record(connection, target, waiting[name], report, at)
    uploaded_files.postpone(connection, target.platform, storable(error), at - ASKED_FOR, at + EVERY)
    return len(reports)


def _reports(connector: FileConnector, names: set[str]) -> dict[str, FileReport]:
    """Read the log page by page, until it has spoken of all these files or ends."""
    found: dict[str, FileReport] = {}
    offset = 0
    for _ in range(MOST_PAGES):
        request = connector.log_request(offset)
        if request is None:
            break
        page, entries = connector.read_log(send_request(connector, request))
        known = {one.file_name: one for one in page if one.file_name in names and one.status is not FileStatus.WAITING}
        found |= known
        offset += entries
        if not entries or found.keys() >= names:
            break
    return found


def _record(connection: Connection, target: DeliveryTarget, batch: UUID, report: FileReport, at: datetime) -> None:
    report = report._replace(reason=storable(report.reason))
    with connection.transaction():
        uploaded_files.record(connection, target.platform, report)
        if report.status is FileStatus.REFUSED:
            reason = report.reason or "no reason given"
            _refuse(connection, target, batch, f"{report.file_name} was refused: {reason}", at)


def _refuse(connection: Connection, target: DeliveryTarget, batch: UUID, error: str, at: datetime) -> None:
    """Have the rows of the file sent again; broken where the latest files were all refused."""
    activations = batches.refuse(connection, target.platform, batch, error)
    concerned = sorted(target.segments if activations is None else activations)
    for lane in range(lanes.LANES):
        deliveries.file_refused(connection, concerned, lanes.buckets_of(lane), batch, error, at)
    latest = uploaded_files.latest(connection, target.platform, IN_A_ROW)
    if len(latest) == IN_A_ROW and all(status == FileStatus.REFUSED for status in latest):
        activation_status.mark_broken(target.platform, concerned, error)
