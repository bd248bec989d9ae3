"""Files in a folder below the hub's own: nothing that is typed leads out of it."""

import os
import shutil
from pathlib import Path

from django.conf import settings

from integrations.connectors.files import Folder
from integrations.errors import MisconfiguredError, RetriableError

OUTSIDE = "the path leads out of the hub's folder for files"


def root() -> Path:
    """The hub's folder for files."""
    return Path(settings.FILES_ROOT).resolve()


def place(path: str) -> Path:
    """The folder that a setting names. Raises `MisconfiguredError` for one outside, by links too."""
    if "\0" in path:
        raise MisconfiguredError(OUTSIDE)
    found = (root() / path.lstrip("/")).resolve()
    if not found.is_relative_to(root()):
        raise MisconfiguredError(OUTSIDE)
    return found


def upload(destination: Folder, path: Path, name: str) -> None:
    if Path(name).name != name:
        raise MisconfiguredError(OUTSIDE)
    folder = place(destination.path)
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
