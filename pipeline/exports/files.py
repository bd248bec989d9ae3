"""Where exported files lie until they are downloaded: `<customer>/exports/` below the hub's folder for files.

Only the hub's own account can read them (0600). They go as the customer's log does (`pipeline.privacy.retention`), when
their export or its audience is deleted, and when anybody of the customer is erased: each of them may hold that person.
"""

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from uuid import UUID, uuid4

from django.db.models import QuerySet

from core import clock
from integrations.connectors.files import FileConnector, FolderDestination
from integrations.errors import IntegrationError
from integrations.services import connector_of
from integrations.uploads.folder import FILE_MODE, FOLDER_MODE, FileOwner, drafts, folder_of, folder_of_customer, root
from pipeline.models import ExportRun

Status = ExportRun.Status
FOLDER = "exports"
_DRAFT = "export-"


def kept_file(customer: int, run: int) -> Path:
    """Returns where the file of a run lies."""
    return folder_of_customer(customer) / FOLDER / f"{run}.export"


@contextmanager
def draft(customer: int, token: UUID) -> Iterator[Path]:
    """Where a file is written. It is deleted afterwards, unless it was moved; one whose writer was killed, by night."""
    folder = drafts() / f"{_DRAFT}{customer}-{token}"
    folder.mkdir(mode=FOLDER_MODE)
    try:
        yield folder / "file"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def create(path: Path) -> IO[bytes]:
    """Open a new file for the hub's own account only. A link is not followed."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, FILE_MODE), "wb")


def keep(path: Path, customer: int, run: int) -> None:
    """Move a written file to where it is kept."""
    place = kept_file(customer, run)
    for folder in (root(), place.parent.parent, place.parent):
        folder.mkdir(mode=FOLDER_MODE, parents=folder == root(), exist_ok=True)
    path.rename(place)


def forget(runs: Iterable[ExportRun]) -> int:
    """Delete the files of these runs that are with the hub, and note it; returns how many there were."""
    wanted = list(runs)
    ExportRun.objects.filter(pk__in=[run.pk for run in wanted]).update(kept=False)
    return unlink(wanted)


def unlink(runs: Iterable[ExportRun]) -> int:
    """Delete the files of these runs that are with the hub; returns how many there were."""
    places = [place for run in runs for place in (kept_file(run.export.customer_id, run.pk), *_in_folder(run))]
    found = [place for place in places if place.exists()]
    for place in found:
        place.unlink(missing_ok=True)
    return len(found)


def _in_folder(run: ExportRun) -> list[Path]:
    """Where the file lies that was delivered into the hub's own folder, if it was."""
    platform = run.export.platform
    if platform is None or not run.file_name:
        return []
    try:
        connector = connector_of(platform)
        destination = connector.destination() if isinstance(connector, FileConnector) else None
        if isinstance(destination, FolderDestination):
            return [folder_of(destination.path, FileOwner(platform.customer_id, platform.pk)) / run.file_name]
    except (IntegrationError, ValueError, OSError):  # its settings do not fit any more
        pass
    return []


def forget_of_erased(customer: int, _texts: object = ()) -> int:
    """Delete every exported file of the customer, and have those begun anew that are being written.

    For the erasure of a user, who is in no audience any more. Returns how many files were deleted.
    """
    of_customer = ExportRun.objects.filter(export__customer_id=customer).select_related("export__platform")
    of_customer.filter(status=Status.RUNNING).update(status=Status.WAITING, token=uuid4(), again_at=clock.now())
    for folder in drafts().glob(f"{_DRAFT}{customer}-*"):
        shutil.rmtree(folder, ignore_errors=True)  # its writer, if it lives, begins anew
    return forget(of_customer.filter(status=Status.DONE))


def sweep() -> None:
    """Delete files whose runs are no more."""
    for path in root().glob(f"*/{FOLDER}/*.export"):
        number = path.stem
        if not number.isdecimal() or not _runs().filter(pk=int(number)).exists():
            path.unlink(missing_ok=True)


def _runs() -> "QuerySet[ExportRun]":
    return ExportRun.objects.all()
