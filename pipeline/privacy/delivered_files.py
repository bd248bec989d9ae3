"""Files that were delivered into the hub's own folder: deleted when the customer's log is, and without the erased.

What was uploaded to a platform's own server is the platform's.
"""

import gzip
import os
import shutil
import stat
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import IO, cast

from integrations.uploads.folder import FILE_MODE, drafts, folder_of_customer, root

SEPARATORS = bytes.maketrans(b",;|", b"\t\t\t")
DRAFT = ".erasing"
PIECE = 1 << 20


def delete_older(customer: int, before: datetime) -> int:
    """Delete the customer's files that were delivered before. Returns how many."""
    deleted = 0
    for file in _files(customer):
        if file.stat().st_mtime < before.timestamp():
            file.unlink(missing_ok=True)
            deleted += 1
    return deleted


def delete_ownerless(platforms: Mapping[int, Collection[int]]) -> None:
    """Delete the folders of customers and platforms that are no more. `platforms`: those that are, by customer."""
    for customer in _numbered(root()):
        if int(customer.name) not in platforms:
            shutil.rmtree(customer, ignore_errors=True)
        for platform in _numbered(customer):
            if int(platform.name) not in platforms[int(customer.name)]:
                shutil.rmtree(platform, ignore_errors=True)


def _numbered(folder: Path) -> list[Path]:
    found = folder.iterdir() if folder.is_dir() else ()
    return [one for one in found if one.name.isdecimal() and one.is_dir() and not one.is_symlink()]


def delete_abandoned(before: datetime) -> None:
    """Delete what senders have left behind that were killed while they wrote a round of files."""
    for folder in drafts().iterdir():
        if folder.stat().st_mtime < before.timestamp():
            shutil.rmtree(folder, ignore_errors=True)


def forget(customer: int, ids: Sequence[str]) -> int:
    """Delete every line that names one of the ids from the customer's files. Returns how many files were rewritten.

    A file keeps its time, so that it is deleted when it would have been. The line that has the id removed comes in a
    later file: it stays as long as that file.
    """
    wanted = [id_.encode() for id_ in ids if id_]
    return sum(rewrite(file, wanted) for file in _files(customer)) if wanted else 0


def _files(customer: int) -> Iterator[Path]:
    """The regular files below the customer's folder. Links are not followed."""
    for folder, _, names in os.walk(folder_of_customer(customer)):
        for name in sorted(names):
            file = Path(folder, name)
            if stat.S_ISREG(file.lstat().st_mode):
                yield file


def rewrite(file: Path, ids: Sequence[bytes]) -> bool:
    """Write the file without the lines that name an id, under a draft's name, then take its place."""
    draft = file.with_name(f"{DRAFT}{file.name}")
    try:
        if not _mentions(file, ids):
            return False
        times = file.stat()
        dropped = _copy_without(file, draft, set(ids))
        os.utime(draft, ns=(times.st_atime_ns, times.st_mtime_ns))
        draft.replace(file)
    except (OSError, EOFError, zlib.error):  # it was fetched meanwhile, or is no file of ours
        draft.unlink(missing_ok=True)
        return False
    return dropped


def _mentions(file: Path, ids: Sequence[bytes]) -> bool:
    """Whether the file holds one of the ids, as a part of whatever; reads it piece by piece."""
    overlap, tail = max(map(len, ids)), b""
    with _opened(file) as content:
        while piece := content.read(PIECE):
            text = tail + piece
            if any(id_ in text for id_ in ids):
                return True
            tail = text[-overlap:]
    return False


def _copy_without(file: Path, draft: Path, ids: set[bytes]) -> bool:
    """Copy the file line by line, without those of which a field is one of the ids. Returns whether there were any."""
    dropped = False
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, FILE_MODE)
    with _opened(file) as content, os.fdopen(descriptor, "wb") as raw:
        packed = gzip.GzipFile("", "wb", fileobj=raw) if _is_packed(file) else raw
        for line in content:
            if ids.isdisjoint(_fields(line)):
                packed.write(line)
            else:
                dropped = True
        if packed is not raw:
            packed.close()
        raw.flush()
        os.fsync(raw.fileno())
    return dropped


def _fields(line: bytes) -> set[bytes]:
    """The fields between tabs, and those between any separators: an id may hold a comma itself."""
    text = line.rstrip(b"\r\n")
    return {*text.split(b"\t"), *text.translate(SEPARATORS).split(b"\t")}


def _is_packed(file: Path) -> bool:
    return file.suffix == ".gz"


def _opened(file: Path) -> IO[bytes]:
    """Open the file to be read as bytes, unpacked."""
    return cast("IO[bytes]", gzip.open(file, "rb")) if _is_packed(file) else file.open("rb")
