"""Making imports, starting those that were looked at, cancelling, and working them off one after the other."""

import logging
from datetime import datetime
from pathlib import Path

import django.db
import psycopg
from django.db import transaction

from core import clock
from core.clock import milliseconds, moment
from pipeline.backlog import Backpressure
from pipeline.imports import files
from pipeline.imports.row_errors import ImportStoppedError
from pipeline.imports.run import run
from pipeline.models import Import
from profiles.models import Pixel

log = logging.getLogger(__name__)

Status = Import.Status
# the database's own trouble: the import is taken up again
PASSING = (psycopg.OperationalError, psycopg.InterfaceError, django.db.OperationalError, django.db.InterfaceError)


class UnsuitableFileError(ValueError):
    """The import is not in a state in which that can be done; the message says why."""


def keep_upload(draft: Path, pixel: Pixel, name: str, format_: str, *, dry_run: bool) -> Import:
    """An import of an uploaded file, which becomes ours; the hub's importer works it off.

    `draft` lies in `files.folder()`.
    """
    with transaction.atomic():
        row = Import.objects.create(
            customer_id=pixel.customer_id,
            pixel=pixel,
            name=name[:255],
            kept=True,
            format=format_,
            dry_run=dry_run,
            size=draft.stat().st_size,
            created_at=_now(),
        )
        draft.rename(files.kept_file(row.pk))
    return row


def import_of(path: Path, pixel: Pixel, format_: str, *, dry_run: bool) -> Import:
    """The import of a file that stays where it is: the one of it that was interrupted, or else a new one."""
    fingerprint = files.fingerprint(path)
    begun = Import.objects.filter(
        pixel=pixel,
        kept=False,
        fingerprint=fingerprint,
        format=format_,
        dry_run=dry_run,
        status__in=(Status.WAITING, Status.RUNNING),
    ).first()
    return begun or Import.objects.create(
        customer_id=pixel.customer_id,
        pixel=pixel,
        name=path.name[:255],
        path=str(path.resolve()),
        format=format_,
        dry_run=dry_run,
        fingerprint=fingerprint,
        size=path.stat().st_size,
        created_at=_now(),
    )


def start(row: Import) -> None:
    """Import in earnest what a dry run has looked at. Raises UnsuitableFileError."""
    looked_at = Import.objects.filter(pk=row.pk, kept=True, dry_run=True, status=Status.DONE)
    started = looked_at.update(
        dry_run=False,
        status=Status.WAITING,
        position=0,
        read=0,
        stored=0,
        errors=0,
        errors_bytes=0,
        created_at=_now(),
        finished_at=None,
    )
    if not started:
        raise UnsuitableFileError("only a dry run that is done, of an uploaded file, can be started")
    row.refresh_from_db()


def cancel(row: Import) -> None:
    """Read no further; what is in the inbox stays. Raises UnsuitableFileError where it has ended."""
    open_ = Import.objects.filter(pk=row.pk, status__in=(Status.WAITING, Status.RUNNING))
    looked_at = Import.objects.filter(pk=row.pk, dry_run=True, status=Status.DONE)
    values = {"status": Status.CANCELLED, "finished_at": clock.now()}
    if not (open_.update(**values) or looked_at.update(**values)):
        raise UnsuitableFileError("it has ended already")
    row.refresh_from_db()
    files.forget_data(row)


def work_off() -> bool:
    """Work off the oldest upload that is waiting; answers whether there was one.

    An error of ours fails the import, not the importer; a database that is away does neither.
    """
    waiting = Import.objects.filter(kept=True, status__in=(Status.RUNNING, Status.WAITING)).order_by("id")
    for row in waiting.select_related("pixel"):
        try:
            run(row, Backpressure(as_long_as_absorbed=True))
        except ImportStoppedError:
            continue
        except PASSING:
            raise
        except Exception as failure:
            log.exception("import %s failed", row.pk)
            _fail(row, type(failure).__name__)
        return True
    return False


def _now() -> datetime:
    """As exactly as the rows of the import will say."""
    return moment(milliseconds(clock.now()))


def _fail(row: Import, reason: str) -> None:
    values = {"status": Status.FAILED, "finished_at": clock.now(), "error": f"an error of the hub's: {reason}"}
    Import.objects.filter(pk=row.pk, status__in=(Status.WAITING, Status.RUNNING)).update(**values)
    files.forget_data(row)
