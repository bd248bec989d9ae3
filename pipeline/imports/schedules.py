"""Imports that are repeated: files that appear at a platform of files are fetched and imported, each of them once.

A file is known by its name and its checksum. The row that says so is written in the transaction that makes the import:
a file that was fetched when the process died is fetched again, and imported once. No transaction is open while files
are fetched.
"""

import hashlib
import logging
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta

from django.core.exceptions import ValidationError
from django.db import transaction

from activation.delivery import host_keys
from core import clock
from core.errors import InputTooLargeError
from integrations.connectors.files import Destination, FileConnector, SftpDestination
from integrations.downloads import RemoteFile, RemotePlace, fits, opened_place
from integrations.errors import IntegrationError, MisconfiguredError
from integrations.services import connector_of
from integrations.uploads.folder import FileOwner
from pipeline.imports import files, services
from pipeline.imports.errors import UnreadableFileError
from pipeline.imports.formats import format_of
from pipeline.imports.options import options_of
from pipeline.models import FetchedFile, ImportSchedule

log = logging.getLogger(__name__)
TAKEN = timedelta(minutes=10)  # after that another process may look: this one may have died

_under_way: set[int] = set()
_guard = threading.Lock()


def run_due() -> bool:
    """Look once for new files of the schedule that is due the longest. Returns whether there was one.

    Of each customer one schedule at a time, so that a slow server delays its own customer only.
    """
    with _guard:
        schedule = _take(clock.now(), _under_way)
        if schedule is None:
            return False
        _under_way.add(schedule.customer_id)
    try:
        _look(schedule)
    finally:
        with _guard:
            _under_way.discard(schedule.customer_id)
    return True


def _look(schedule: ImportSchedule) -> None:
    try:
        error = fetch_new(schedule)
    except IntegrationError as failure:
        error = str(failure)
    except Exception as failure:
        log.exception("schedule %s failed", schedule.pk)
        error = f"an error of the hub's: {type(failure).__name__}"
    now = clock.now()
    due = now + timedelta(minutes=schedule.interval_minutes)
    ImportSchedule.objects.filter(pk=schedule.pk).update(due_at=due, looked_at=now, error=error[:500])


def _take(now: datetime, customers: set[int]) -> ImportSchedule | None:
    """Take a schedule of another customer than these for a while, in a transaction of its own."""
    with transaction.atomic():
        due = ImportSchedule.objects.filter(enabled=True, due_at__lte=now).exclude(customer__in=customers)
        locked = due.order_by("due_at").select_for_update(skip_locked=True, of=("self",))
        found = locked.select_related("pixel", "platform").first()
        if found is not None:
            ImportSchedule.objects.filter(pk=found.pk).update(due_at=now + TAKEN)
        return found


def place_of(schedule: ImportSchedule) -> tuple[Destination, FileConnector]:
    """Returns where the files lie. Raises `MisconfiguredError` if the platform takes no files."""
    try:
        connector = connector_of(schedule.platform)
    except ValidationError as unfit:
        raise MisconfiguredError(" ".join(unfit.messages)) from None
    if not isinstance(connector, FileConnector):
        raise MisconfiguredError("the platform is no place of files")
    return connector.destination(), connector


def fetch_new(schedule: ImportSchedule) -> str:
    """Fetch the files that were not fetched yet, and make an import of each. Returns what is wrong with the last one.

    Raises `integrations.errors`.
    """
    place, connector = place_of(schedule)
    host = place.address if isinstance(place, SftpDestination) else ""
    known = host_keys.known(schedule.platform_id, host) if host else ""
    owner = FileOwner(schedule.customer_id, schedule.platform_id)
    fault = ""
    with opened_place(place, connector.bound, known, owner) as (remote, key):
        if key and not known:
            host_keys.pin(schedule.platform_id, host, key)
        for file in [one for one in remote.files() if fits(one.name, schedule.pattern)]:
            if not _is_fetched(schedule, file):
                fault = _fetch(schedule, remote, file) or fault
    return fault


def _is_fetched(schedule: ImportSchedule, file: RemoteFile) -> bool:
    """Whether the file looks as when it was fetched: then it is not fetched again."""
    same = {"name_hash": _hash(file.name), "size": file.size, "changed": file.changed}
    return FetchedFile.objects.filter(schedule=schedule, **same).exists()


def _fetch(schedule: ImportSchedule, remote: RemotePlace, file: RemoteFile) -> str:
    """Fetch one file and make its import. Returns why there is none; empty where there is one."""
    digest = hashlib.sha256()

    def chunks() -> Iterator[bytes]:
        for chunk in remote.chunks(file.name):
            digest.update(chunk)
            yield chunk

    try:
        format_ = format_of(file.name)
        with files.draft_of(chunks()) as draft:
            if draft.stat().st_size != file.size:
                return "a file changed while it was fetched: it is fetched again"
            with transaction.atomic():
                _, is_new = FetchedFile.objects.update_or_create(
                    schedule=schedule,
                    name_hash=_hash(file.name),
                    checksum=digest.hexdigest(),
                    defaults={"size": file.size, "changed": file.changed},
                    create_defaults={"size": file.size, "changed": file.changed, "fetched_at": clock.now()},
                )
                if is_new:
                    options = options_of(schedule.options)
                    services.keep_upload(draft, schedule.pixel, file.name, format_, options, dry_run=False)
    except UnreadableFileError as unknown:
        return f"a file whose kind is not known: {unknown}"
    except InputTooLargeError as large:
        return large.message
    return ""


def _hash(name: str) -> str:
    """Returns what is kept of a file's name, which may be a person's."""
    return hashlib.sha256(name.encode()).hexdigest()
