"""Files that are delivered by lying in the hub's own folder: `<customer>/<platform>/` below it, and nowhere else.

No setting leads out of the folder of its platform, so no customer and no platform overwrites another's files. Folders
and files are readable by the hub's own account only (0700, 0600).
"""

import os
import shutil
from pathlib import Path
from typing import NamedTuple

from django.conf import settings

from integrations.connectors.files import FolderDestination
from integrations.errors import MisconfiguredError, RetriableError

OUTSIDE = "the path leads out of the platform's folder for files"
FOLDER_MODE, FILE_MODE = 0o700, 0o600


class FileOwner(NamedTuple):
    """Whose files they are; both by their number."""

    customer: int
    platform: int


def root() -> Path:
    """Return the hub's folder for files."""
    return Path(settings.FILES_ROOT).resolve()


def drafts() -> Path:
    """Return the folder, which is made here, in which rounds of files are written before they are uploaded."""
    found = root() / ".drafts"
    _make(found)
    return found


def folder_of_customer(customer: int) -> Path:
    return root() / str(customer)


def folder_of(path: str, owner: FileOwner) -> Path:
    """Return the folder that a setting names. Raises `MisconfiguredError` if it is outside, also through a link."""
    own = folder_of_customer(owner.customer) / str(owner.platform)
    if "\0" in path:
        raise MisconfiguredError(OUTSIDE)
    found = (own / path.lstrip("/")).resolve()
    if not found.is_relative_to(own):
        raise MisconfiguredError(OUTSIDE)
    return found


def upload(destination: FolderDestination, path: Path, name: str, owner: FileOwner) -> None:
    """Copy the file under a temporary name, then rename it. Raises `integrations.errors`."""
    if Path(name).name != name:
        raise MisconfiguredError(OUTSIDE)
    folder = folder_of(destination.path, owner)
    partial = folder / f".{name}.part"
    try:
        _make(folder)
        _copy(path, partial)
        partial.rename(folder / name)
    except OSError as failure:
        partial.unlink(missing_ok=True)
        raise RetriableError(f"the file cannot be written: {failure.strerror}") from failure


def try_out(destination: FolderDestination, name: str, found: list[str], owner: FileOwner | None) -> None:
    """Write a small file and remove it; into the hub's folder where the platform has none yet.

    Raises `integrations.errors`.
    """
    folder = root() if owner is None else folder_of(destination.path, owner)
    shown = "the hub's folder for files" if owner is None else f"“{folder.relative_to(root())}”"
    try:
        _make(folder)
        (folder / name).write_bytes(b"dmphub")
        (folder / name).unlink()
    except OSError as failure:
        raise MisconfiguredError(f"files cannot be written into {shown}: {failure.strerror}") from failure
    found.append(f"a small file was written into {shown} and removed")


def _make(folder: Path) -> None:
    """Make the folder, and those above it, for the hub's own account only. What is there keeps its mode."""
    for place in (*reversed(folder.parents), folder):
        if place.is_relative_to(root()):
            place.mkdir(mode=FOLDER_MODE, parents=place == root(), exist_ok=True)


def _copy(source: Path, to: Path) -> None:
    """Copy and flush to disk. What was left there by an upload that died is replaced; a link is not followed."""
    to.unlink(missing_ok=True)
    descriptor = os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, FILE_MODE)
    with source.open("rb") as read, os.fdopen(descriptor, "wb") as written:
        shutil.copyfileobj(read, written, 1 << 20)
        written.flush()
        os.fsync(written.fileno())
