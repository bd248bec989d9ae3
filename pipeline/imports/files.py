"""Where the files of imports lie: uploads, the lists of bad rows, and what dry runs show of the first rows.

All of them are in one folder of the hub's home, which the console and the importer share. None is kept longer than it
is needed: an upload, and what is shown of it, is deleted when its import ends, a list of bad rows after `ERRORS_KEPT`.
"""

import hashlib
import os
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import msgspec
from django.conf import settings
from django.db.models import CharField, Value
from django.db.models.functions import Cast, Concat

from core.errors import InputTooLargeError
from core.patterns import whole
from pipeline.models import Import

ERRORS_KEPT = timedelta(days=30)
DRAFTS_KEPT = timedelta(days=1)  # uploads that broke off
UNSTARTED_KEPT = timedelta(days=7)  # dry runs that nobody followed by an import
HEAD = 1024 * 1024
MOST_BYTES = 16 * 1024**3  # of an upload

Status = Import.Status
ENDED = (Status.DONE, Status.FAILED, Status.CANCELLED)
LOOKED_AT = (Status.DONE, Status.FAILED)
"""How a dry run ends that may be followed by another one, or by the import."""
_NAME = whole(r"([0-9]++)\.(?:data|errors|sample)")


def folder() -> Path:
    """Returns the folder, which only the hub's own user can read (mode 0700)."""
    home: Path = settings.ENVIRONMENT.home
    place = home / "imports"
    place.mkdir(mode=0o700, exist_ok=True)
    return place


def errors_file(import_id: int) -> Path:
    """Returns the list of bad rows: NDJSON, `{"row", "message"}` a line."""
    return folder() / f"{import_id}.errors"


def kept_file(import_id: int) -> Path:
    """Returns where an upload lies."""
    return folder() / f"{import_id}.data"


def sample_file(import_id: int) -> Path:
    """Returns what a dry run shows of the first rows: a JSON list."""
    return folder() / f"{import_id}.sample"


def write_sample(import_id: int, sample: list[dict[str, Any]]) -> None:
    path = sample_file(import_id)
    path.touch(mode=0o600)
    path.write_bytes(msgspec.json.encode(sample))


def read_sample(import_id: int) -> list[dict[str, Any]]:
    """Returns the first rows as a dry run found that they would be kept; none where it is not kept any more."""
    try:
        return msgspec.json.decode(sample_file(import_id).read_bytes(), type=list[dict[str, Any]])
    except FileNotFoundError:
        return []


def data_file(row: Import) -> Path:
    return kept_file(row.pk) if row.kept else Path(row.path)


def errors_name(row: Import) -> str:
    """Return the name under which the file of errors is downloaded."""
    return f"import-{row.pk}-errors.ndjson"


def open_errors(row: Import) -> IO[bytes]:
    """Open the file of errors for reading; an empty one where none was written, or where it is not kept any more."""
    path = errors_file(row.pk)
    return path.open("rb") if path.exists() else BytesIO()


@contextmanager
def draft_of(chunks: Iterable[bytes]) -> Iterator[Path]:
    """Write an upload to a file in `folder()`, down to the disk. The file is deleted afterwards unless it was moved.

    Raises InputTooLargeError.
    """
    draft = folder() / f"{uuid.uuid4()}.draft"
    try:
        with draft.open("xb") as file:
            for chunk in chunks:
                file.write(chunk)
                if file.tell() > MOST_BYTES:
                    raise InputTooLargeError(f"A file may have {MOST_BYTES // 1024**3} GiB at most: send it in parts.")
            file.flush()
            os.fsync(file.fileno())
        yield draft
    finally:
        draft.unlink(missing_ok=True)


def fingerprint(path: Path) -> str:
    """Returns a hash of the file's path, size, time of change and beginning. A changed file has another one."""
    stat = path.stat()
    digest = hashlib.sha256(f"{path.resolve()} {stat.st_size} {stat.st_mtime_ns}".encode())
    with path.open("rb") as file:
        digest.update(file.read(HEAD))
    return digest.hexdigest()


def forget_data(row: Import) -> None:
    """Delete the upload of an import that has ended, and the sample. A file that the hub does not own stays."""
    sample_file(row.pk).unlink(missing_ok=True)
    if row.kept:
        kept_file(row.pk).unlink(missing_ok=True)


def forget_ended(customer: int) -> int:
    """Delete every file of the customer's imports that have ended, lists of bad rows too.

    Returns the number of imports that had files.

    For the erasure of a user: a file may hold the user's rows. Imports under way keep theirs until they end.
    """
    ended = Import.objects.filter(customer_id=customer, status__in=ENDED)
    return sum([_forget(row) for row in ended.only("id")])


def forget_names(customer: int, before: datetime) -> None:
    """Forget what the files were called, and what was said of them, of the customer's imports made before.

    For the erasure of a user, whose name a file may bear. From then on an import is called by its number. One that is
    under way keeps the path where its file lies.
    """
    of = Import.objects.filter(customer_id=customer, created_at__lte=before)
    of.update(name=Concat(Value("import-"), Cast("pk", CharField())))
    of.filter(status__in=ENDED).update(path="", error="", report=None)


def sweep(now: datetime) -> None:
    """Delete the files that have been kept long enough, and those that belong to no import."""
    stale = Import.objects.filter(dry_run=True, status__in=LOOKED_AT, finished_at__lt=now - UNSTARTED_KEPT)
    stale.update(status=Status.CANCELLED)
    numbered = {path: int(found[1]) for path in folder().iterdir() if (found := _NAME(path.name))}
    rows = Import.objects.in_bulk(set(numbered.values()))
    for path, number in numbered.items():
        if _is_over(path, rows.get(number), now):
            path.unlink(missing_ok=True)
    for path in folder().glob("*.draft"):
        if path.stat().st_mtime < (now - DRAFTS_KEPT).timestamp():
            path.unlink(missing_ok=True)


def _is_over(path: Path, row: Import | None, now: datetime) -> bool:
    if row is None:
        return path.stat().st_mtime < (now - DRAFTS_KEPT).timestamp()
    if row.status not in ENDED or row.finished_at is None:
        return False
    if path.suffix == ".errors":
        return row.finished_at < now - ERRORS_KEPT
    return not (row.dry_run and row.status in LOOKED_AT)


def _forget(row: Import) -> bool:
    paths = (kept_file(row.pk), errors_file(row.pk), sample_file(row.pk))
    found: Iterable[Path] = [path for path in paths if path.exists()]
    for path in found:
        path.unlink(missing_ok=True)
    return bool(found)
