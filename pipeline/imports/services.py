"""What others may do with imports: make one, start it after a dry run, cancel it, and work off the next one."""

import logging
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path, PureWindowsPath
from typing import Any

from django.db import transaction

from core import audit, clock
from core.clock import milliseconds, moment
from core.turns import Turns
from pipeline.backlog import Backpressure
from pipeline.failures import is_passing
from pipeline.imports import files
from pipeline.imports.errors import ImportStateError, ImportStoppedError
from pipeline.imports.options import ImportOptions
from pipeline.imports.rows import NO_OPTIONS
from pipeline.imports.run import run
from pipeline.models import Import
from profiles.models import Pixel

log = logging.getLogger(__name__)

Status = Import.Status
_FROM_THE_BEGINNING: dict[str, Any] = {
    "status": Status.WAITING,
    "position": 0,
    "read": 0,
    "stored": 0,
    "errors": 0,
    "errors_bytes": 0,
    "finished_at": None,
}


def keep_upload(
    draft: Path, pixel: Pixel, name: str, format_: str, options: ImportOptions = NO_OPTIONS, *, dry_run: bool
) -> Import:
    """Make an import of an uploaded file, which the hub then owns. The importer works it off (`work_off`).

    `draft` must lie in `files.folder()`, from where it is moved. Of a `name` with folders the last part is kept.
    """
    with transaction.atomic():
        row = Import.objects.create(
            customer_id=pixel.customer_id,
            pixel=pixel,
            name=PureWindowsPath(name).name[:255],
            kept=True,
            format=format_,
            options=options.stored(),
            dry_run=dry_run,
            size=draft.stat().st_size,
            created_at=_now(),
        )
        _record("upload", row)
        draft.rename(files.kept_file(row.pk))
    return row


def import_of(path: Path, pixel: Pixel, format_: str, options: ImportOptions = NO_OPTIONS, *, dry_run: bool) -> Import:
    """Returns the import of a file that stays where it is: the one that was interrupted, else a new one."""
    fingerprint = files.fingerprint(path)
    begun = Import.objects.filter(
        pixel=pixel,
        kept=False,
        fingerprint=fingerprint,
        format=format_,
        options=options.stored(),
        dry_run=dry_run,
        status__in=(Status.WAITING, Status.RUNNING),
    ).first()
    return begun or Import.objects.create(
        customer_id=pixel.customer_id,
        pixel=pixel,
        name=path.name[:255],
        path=str(path.resolve()),
        format=format_,
        options=options.stored(),
        dry_run=dry_run,
        fingerprint=fingerprint,
        size=path.stat().st_size,
        created_at=_now(),
    )


def start(row: Import) -> None:
    """Import a file that a dry run has looked at. Raises ImportStateError."""
    looked_at = Import.objects.filter(pk=row.pk, kept=True, dry_run=True, status=Status.DONE)
    if not looked_at.update(dry_run=False, created_at=_now(), **_FROM_THE_BEGINNING):
        raise ImportStateError("only a dry run that is done, of an uploaded file, can be started")
    _record("start", row)
    row.refresh_from_db()


def look_again(row: Import, options: ImportOptions) -> None:
    """Look at a file once more, read in another way. Raises ImportStateError."""
    looked_at = Import.objects.filter(pk=row.pk, kept=True, dry_run=True, status__in=files.LOOKED_AT)
    values = {**_FROM_THE_BEGINNING, "options": options.stored(), "report": None, "error": ""}
    if not looked_at.update(created_at=_now(), **values):
        raise ImportStateError("only a dry run that has ended, of an uploaded file, can be read in another way")
    _record("look again", row)
    row.refresh_from_db()


def cancel(row: Import) -> None:
    """Stop before the next batch. What is in the inbox stays. Raises ImportStateError if the import has ended."""
    open_ = Import.objects.filter(pk=row.pk, status__in=(Status.WAITING, Status.RUNNING))
    looked_at = Import.objects.filter(pk=row.pk, dry_run=True, status__in=files.LOOKED_AT)
    values = {"status": Status.CANCELLED, "finished_at": clock.now()}
    if not (open_.update(**values) or looked_at.update(**values)):
        raise ImportStateError("it has ended already")
    _record("cancel", row)
    row.refresh_from_db()
    files.forget_data(row)


class ImportTurns:
    """Whose uploads the threads of one importer are running: of each customer one at a time, and all in turn."""

    def __init__(self) -> None:
        self._turns = Turns()
        self._under_way: set[int] = set()
        self._lock = threading.Lock()

    def order(self, rows: Iterable[Import]) -> list[Import]:
        with self._lock:
            return self._turns.order(list(rows), lambda row: row.customer_id)

    @contextmanager
    def taking(self, customer: int) -> Iterator[bool]:
        """Take the customer's turn, unless another thread has it; yields whether this one does."""
        with self._lock:
            is_free = customer not in self._under_way
            self._under_way.add(customer)
        try:
            yield is_free
        finally:
            if is_free:
                with self._lock:
                    self._under_way.discard(customer)
                    self._turns.serve(customer)


def work_off(turns: ImportTurns | None = None) -> bool:
    """Run the oldest upload that is waiting, of the customer whose turn it is. Returns whether there was one.

    A bug of ours makes the import fail, but not the importer. While the database is away, its error is raised and
    the import is left as it is.
    """
    turns = turns or ImportTurns()
    waiting = Import.objects.filter(kept=True, status__in=(Status.RUNNING, Status.WAITING)).order_by("id")
    for row in turns.order(waiting.select_related("pixel")):
        with turns.taking(row.customer_id) as is_ours:
            if is_ours and _work(row):
                return True
    return False


def _work(row: Import) -> bool:
    """Run an import to its end; returns False where another process has it."""
    try:
        run(row, Backpressure(as_long_as_absorbed=True))
        _record("end", row)
    except ImportStoppedError:
        return False
    except Exception as failure:
        if is_passing(failure):
            raise
        log.exception("import %s failed", row.pk)
        _fail(row, type(failure).__name__)
    return True


def _record(action: str, row: Import) -> None:
    """Enter in the audit log what became of an import. The name of its file may name a person, so it is left out."""
    found = {"status": row.status, "dry_run": row.dry_run, "pixel": row.pixel_id}
    counts = {"stored": row.stored, "errors": row.errors} if action == "end" else {}
    audit.record(action, "import", row.pk, customer=row.customer_id, after={**found, **counts})


def _now() -> datetime:
    """Returns the time in whole milliseconds, as the import's rows will hold it."""
    return moment(milliseconds(clock.now()))


def _fail(row: Import, reason: str) -> None:
    values = {"status": Status.FAILED, "finished_at": clock.now(), "error": f"an error of the hub's: {reason}"}
    Import.objects.filter(pk=row.pk, status__in=(Status.WAITING, Status.RUNNING)).update(**values)
    files.forget_data(row)
