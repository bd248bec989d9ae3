"""Asks platforms that keep a processing log what became of uploaded files, until the log has said it of each.

A refused file is fed back to its rows: they are due again, with the platform's words. Three refused files in a row
break the activations that were in the last of them: a person has to act.
"""

from datetime import datetime, timedelta
from uuid import UUID

from activation.delivery import activation_status, lanes, targets
from activation.delivery.file_writer import FileWriter
from activation.delivery.platform_client import NotNowError, PlatformClient
from activation.delivery.targets import DeliveryTarget
from activation.stores import batches, deliveries, uploaded_files
from activation.stores.batches import storable
from core import clock
from core.buckets import BUCKETS, lock
from core.database import Connection
from integrations.connectors.files import FileConnector, FileReport, FileStatus
from integrations.errors import IntegrationError, RefusedError

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
        lease = target and lanes.lease(cursor, platform, lanes.CREATION, target.lease_duration)
        if not target or not lease:
            return 0
        client = PlatformClient.of(connection, cursor, target, lease)
        spoken = ask(connection, client, at)
        client.leave()
        return spoken


def ask(connection: Connection, client: PlatformClient, at: datetime) -> int:
    """Ask about the files that nothing is known of. Returns of how many the log has spoken.

    The client holds the platform's creation lane. A log that cannot be read is noted beside the files.
    """
    target, connector = client.target, client.target.connector
    waiting = uploaded_files.waiting(connection, target.platform)
    if not isinstance(connector, FileConnector) or connector.log_request(0) is None or not waiting:
        return 0
    error = ""
    reports: dict[str, FileReport] = {}
    try:
        _read(client, connector, set(waiting), reports)
    except NotNowError:
        error = "the processing log: its pages took longer than the lane was leased"
    except IntegrationError as failure:
        error = f"the processing log: {failure}"
    for name, report in reports.items():
        _record(connection, target, waiting[name], report, at)
    uploaded_files.postpone(connection, target.platform, storable(error), at - ASKED_FOR, at + EVERY)
    return len(reports)


def _read(client: PlatformClient, connector: FileConnector, names: set[str], found: dict[str, FileReport]) -> None:
    """Read the log page by page into `found`, until it has spoken of all these files or ends."""
    offset = 0
    for _ in range(MOST_PAGES):
        request = connector.log_request(offset)
        if request is None:
            break
        page, entries = connector.read_log(client.ask(request))
        for one in page:
            if one.file_name in names and one.status is not FileStatus.WAITING:
                found[one.file_name] = one
        offset += entries
        if not entries or found.keys() >= names:
            break


def _record(connection: Connection, target: DeliveryTarget, batch: UUID, report: FileReport, at: datetime) -> None:
    """The rows come first, bucket by bucket: if this dies, the log is asked about the file again."""
    report = report._replace(reason=storable(report.reason))
    error = f"{report.file_name} was refused: {report.reason or 'no reason given'}"
    refused = report.status is FileStatus.REFUSED
    concerned = _send_again(connection, target, batch, error, at) if refused else []
    with connection.transaction():
        uploaded_files.record(connection, target.platform, report)
        if refused:
            _refuse(connection, target, batch, concerned, error)


def _send_again(connection: Connection, target: DeliveryTarget, batch: UUID, error: str, at: datetime) -> list[int]:
    """Have the rows of the file sent again, bucket by bucket. Returns whose rows they are."""
    known = batches.activations(connection, batch)
    concerned = sorted(target.segments if known is None else known)
    for bucket in range(BUCKETS):
        with connection.transaction(), connection.cursor() as cursor:
            lock(cursor, bucket)
            deliveries.file_refused(cursor, concerned, bucket, batch, error, at)
    return concerned


def _refuse(connection: Connection, target: DeliveryTarget, batch: UUID, concerned: list[int], error: str) -> None:
    """Mark the batch as refused; broken where the latest files were all refused."""
    batches.refuse(connection, target.platform, batch, error)
    latest = uploaded_files.latest(connection, target.platform, IN_A_ROW)
    if len(latest) == IN_A_ROW and all(status == FileStatus.REFUSED for status in latest):
        activation_status.mark_broken(target.platform, concerned, RefusedError(error))
