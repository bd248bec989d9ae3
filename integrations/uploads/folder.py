"""Writing files below the hub's own folder. No setting may lead out of that folder."""

import os
import shutil
from pathlib import Path

from django.conf import settings

from integrations.connectors.files import FolderDestination
from integrations.errors import MisconfiguredError, RetriableError

OUTSIDE = "the path leads out of the hub's folder for files"


def root() -> Path:
    """Return the hub's folder for files."""
    return Path(settings.FILES_ROOT).resolve()


def folder_of(path: str) -> Path:
    """Return the folder that a setting names. Raises `MisconfiguredError` if it is outside, also through a link."""
    if "\0" in path:
        raise MisconfiguredError(OUTSIDE)
    found = (root() / path.lstrip("/")).resolve()
    if not found.is_relative_to(root()):
        raise MisconfiguredError(OUTSIDE)
    return found


def upload(destination: FolderDestination, path: Path, name: str) -> None:
    """Copy the file under a temporary name, then rename it. Raises `integrations.errors`."""
    if Path(name).name != name:
        raise MisconfiguredError(OUTSIDE)
    folder = folder_of(destination.path)
    partial = folder / f".{name}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, partial)
        with partial.open("rb") as written:
            os.fsync(written.fileno())
        partial.rename(folder / name)
    except OSError as failure:
        partial.unlink(missing_ok=True)
        raise RetriableError(f"the file cannot be written: {failure.strerror}") from failure


def try_out(destination: FolderDestination, name: str, found: list[str]) -> None:
    """Write a small file and remove it. Raises `integrations.errors`."""
    folder = folder_of(destination.path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"dmphub")
        (folder / name).unlink()
    except OSError as failure:
        raise MisconfiguredError(f"files cannot be written into {folder}: {failure.strerror}") from failure
    found.append(f"a small file was written into {folder} and removed")
