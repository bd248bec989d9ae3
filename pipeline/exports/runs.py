"""The files of exports, made by a process of their own: written to a draft, then uploaded or kept, then noted as done.

The run is a row. Whoever works on one holds an advisory lock, so it is free again when its process dies, and is begun
anew: the file is written whole each time, and put in the place of whatever of it had arrived, under the same name.
"""

import logging
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from operator import itemgetter
from pathlib import Path
from uuid import uuid4

from django.core.exceptions import ValidationError
from django.db import transaction

from activation.delivery import host_keys, quotas
from audiences.models import Audience
from core import audit, clock
from core.database import connect
from core.extras import MissingExtraError
from core.problems import words_of
from core.transactions import plain_cursor
from integrations import limits
from integrations.connectors.files import FileConnector, SftpDestination
from integrations.errors import IntegrationError, RateLimitedError, RetriableError
from integrations.models import Platform
from integrations.services import connector_of
from integrations.uploads.folder import FileOwner
from integrations.uploads.upload import FileUpload, upload
from pipeline.exports import files, formats
from pipeline.exports.columns import Column, UnknownFieldError, columns_of
from pipeline.exports.formats import ChangedShapeError
from pipeline.exports.reading import Row, pages_of
from pipeline.exports.services import plan
from pipeline.failures import is_passing
from pipeline.models import Export, ExportRun

log = logging.getLogger(__name__)

LOCKS = 0x657870  # the hub's class of advisory locks for runs of exports
CLAIM = "SELECT pg_try_advisory_lock(%s, %s)"
MOST_ATTEMPTS = 8
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=30), timedelta(hours=1)
Status = ExportRun.Status


def work_off() -> bool:
    """Make the runs that have come due, and the file of one that waits. Returns whether there was one."""
    now = clock.now()
    plan(now)
    waiting = ExportRun.objects.filter(status__in=(Status.WAITING, Status.RUNNING)).exclude(again_at__gt=now)
    rows = waiting.order_by("id").values_list("export__customer_id", "pk")[:1000]
    oldest = dict(reversed(list(rows)))
    return any(_claim_and_work(customer, pk) for customer, pk in sorted(oldest.items(), key=itemgetter(1)))


def _claim_and_work(customer: int, pk: int) -> bool:
    """Work on the run, unless another process works for the customer: none takes all processes for itself."""
    with closing(connect(durable=True)) as own:
        (is_free,) = own.execute(CLAIM, [LOCKS, customer]).fetchone() or (False,)
        run = begin(pk) if is_free else None
        if run is not None:
            work(run)
    return run is not None


def begin(pk: int) -> ExportRun | None:
    """Note the attempt; returns the run if it may be worked on now. Its customer is held."""
    open_ = ExportRun.objects.filter(pk=pk, status__in=(Status.WAITING, Status.RUNNING)).exclude(
        again_at__gt=clock.now()
    )
    with transaction.atomic():
        run = open_.select_for_update(of=("self",)).select_related("export__audience", "export__customer").first()
        if run is None:
            return None
        if run.export.audience.status == Audience.Status.BUILDING:  # what is missing would look like nobody
            open_.update(again_at=clock.now() + timedelta(seconds=5))
            return None
        run.status, run.token, run.attempts = Status.RUNNING, uuid4(), run.attempts + 1
        run.save(update_fields=["status", "token", "attempts"])
    return run


def work(run: ExportRun) -> None:
    """Make the file of a run that was begun, and note what became of it."""
    try:
        _make(run)
    except RateLimitedError as wait:
        pause = timedelta(seconds=max(wait.retry_after or 0, FIRST_PAUSE.seconds))
        _again(run, str(wait), clock.now() + pause, run.attempts - 1)
    except (RetriableError, ChangedShapeError) as trouble:
        words = "a value came that did not fit" if isinstance(trouble, ChangedShapeError) else str(trouble)
        pause = min(FIRST_PAUSE * 2 ** (run.attempts - 1), LONGEST_PAUSE)
        if run.attempts >= MOST_ATTEMPTS:
            _end(run, Status.FAILED, error=words)
        else:
            _again(run, words, clock.now() + pause, run.attempts)
    except (IntegrationError, MissingExtraError, UnknownFieldError, _GivenUpError) as refusal:
        _end(run, Status.FAILED, error=str(refusal))
    except ValidationError as wrong:
        _end(run, Status.FAILED, error=words_of(wrong))
    except Exception as failure:
        if is_passing(failure):
            raise
        log.exception("run %s of an export failed", run.pk)
        _end(run, Status.FAILED, error=f"an error of the hub's: {type(failure).__name__}")


class _GivenUpError(Exception):
    """The message says why."""


def _make(run: ExportRun) -> None:
    export = run.export
    columns = columns_of(export.customer, export.fields)
    assert run.token is not None
    if run.attempts > MOST_ATTEMPTS:
        raise _GivenUpError(f"it was begun {run.attempts - 1} times and never ended")
    with files.draft(export.customer_id, run.token) as path:
        run.rows = _write(path, export, columns)
        run.bytes = path.stat().st_size
        run.file_name = f"{export.name.replace(' ', '-')}-{run.slot:%Y%m%dT%H%M%SZ}.{export.format}"
        run.kept = export.platform_id is None
        if export.platform is None:
            files.keep(path, export.customer_id, run.pk)
        else:
            ExportRun.objects.filter(pk=run.pk, token=run.token).update(file_name=run.file_name)
            _upload(path, run, export.platform)
    if not _end(run, Status.DONE):
        files.forget([run])  # somebody of it was erased meanwhile: it is begun anew


def _write(path: Path, export: Export, columns: tuple[Column, ...]) -> int:
    """Write the file; returns how many members are in it."""
    counted = 0

    def pages() -> Iterator[list[Row]]:
        nonlocal counted
        counted = 0
        for page in pages_of(export.audience, columns):
            counted += len(page)
            yield page

    with files.create(path) as file:
        for piece in formats.write(export.format, columns, pages):
            file.write(piece)
    return counted


def _upload(path: Path, run: ExportRun, platform: Platform) -> None:
    """Put the file where the platform's files are put, within the platform's limits."""
    connector = connector_of(platform)
    if not platform.enabled or not isinstance(connector, FileConnector):
        raise _GivenUpError("the platform is disabled, or takes no files")
    destination = connector.destination()
    host = destination.address if isinstance(destination, SftpDestination) else ""
    known = host_keys.known(platform.pk, host)
    with plain_cursor() as cursor:
        most = limits.read(platform.limits, connector.default_limits)
        quotas.reserve(cursor, platform.pk, most, clock.now(), files_per_hour=1, bytes_per_day=run.bytes)
    owner = FileOwner(platform.customer_id, platform.pk)
    begun_before = (run.file_name,) if run.attempts > 1 else ()
    file = FileUpload(path, run.file_name, known, lambda: None, connector.timeout, owner, begun_before)
    uploaded = upload(destination, file, connector.bound)
    if uploaded.key and not known:
        host_keys.pin(platform.pk, host, uploaded.key)


def _again(run: ExportRun, error: str, at: datetime, attempts: int) -> None:
    mine = ExportRun.objects.filter(pk=run.pk, token=run.token, status=Status.RUNNING)
    mine.update(status=Status.WAITING, error=error, again_at=at, attempts=attempts)


def _end(run: ExportRun, status: str, error: str = "") -> bool:
    """Note how it ended; returns false where the run is somebody else's by now."""
    values = {"rows": run.rows, "bytes": run.bytes, "file_name": run.file_name, "kept": run.kept, "error": error}
    with transaction.atomic():
        mine = ExportRun.objects.filter(pk=run.pk, token=run.token, status=Status.RUNNING)
        is_mine = bool(mine.update(status=status, finished_at=clock.now(), again_at=None, **values))
        if is_mine:
            found = {"run": run.pk, "status": status, "rows": run.rows, "fields": run.export.fields}
            customer = run.export.customer_id
            audit.record("export", "audience", run.export.audience_id, customer=customer, after=found)
    return is_mine
