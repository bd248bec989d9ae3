"""Files of others that are fetched: from an SFTP server, an S3-compatible store, or a folder of the hub's.

The way there is that of uploads: checked addresses, the expected host key, credentials only where they were given for,
deadlines. Nothing is changed where the files lie.
"""

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import IO, Any, Protocol

from core import extras
from integrations.connectors.files import Destination, FolderDestination, S3Destination, SftpDestination
from integrations.credential_binding import BoundCredentials, check_origins
from integrations.deadline import Deadline
from integrations.errors import MisconfiguredError, RetriableError
from integrations.uploads.folder import FileOwner, folder_of

STEP_SECONDS, MOST_SECONDS = 60.0, 3600.0  # without progress; of a visit: what was not fetched is fetched next time
MOST_FILES = 10_000  # of one place
CHUNK = 256 * 1024
UNFINISHED = (".part", ".tmp", ".partial", ".filepart")


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """`changed`: when, as the place says it; a text that is only compared."""

    name: str
    size: int
    changed: str


class RemotePlace(Protocol):
    """A folder, or what is like one. Both methods raise `integrations.errors`."""

    def files(self) -> Iterator[RemoteFile]: ...

    def chunks(self, name: str) -> Iterator[bytes]: ...


def fits(name: str, pattern: str) -> bool:
    """Whether a file is meant: its name fits the pattern (`*`, `?`, `[…]`), and is none of an unfinished upload."""
    return fnmatchcase(name, pattern) and not name.startswith(".") and not name.endswith(UNFINISHED)


@contextmanager
def opened_place(
    place: Destination, bound: BoundCredentials | None, known_key: str, owner: FileOwner
) -> Iterator[tuple[RemotePlace, str]]:
    """Connect; gives the place, and the key of an SFTP server (empty for others). Raises `integrations.errors`."""
    check_origins(bound, place.origins)
    if isinstance(place, FolderDestination):
        yield _Folder(folder_of(place.path, owner)), ""
        return
    with extras.explained(RetriableError):
        from integrations.uploads import s3, sftp
    with Deadline(MOST_SECONDS, step=STEP_SECONDS) as deadline:
        if isinstance(place, SftpDestination):
            with sftp.session(place, known_key, deadline) as (client, key):
                yield _Sftp(client, place, deadline), key
        else:
            with s3.store(place, deadline) as storage:
                yield _Store(storage, place, deadline), ""


@dataclass(frozen=True, slots=True)
class _Folder:
    folder: Path

    def files(self) -> Iterator[RemoteFile]:
        if not self.folder.is_dir():
            return
        for path in sorted(self.folder.iterdir())[:MOST_FILES]:
            found = path.lstat()
            if stat.S_ISREG(found.st_mode):
                yield RemoteFile(path.name, found.st_size, str(found.st_mtime_ns))

    def chunks(self, name: str) -> Iterator[bytes]:
        path = self.folder / name
        if path.parent != self.folder or path.is_symlink():
            raise MisconfiguredError("the file leads out of its folder")
        try:
            with path.open("rb") as file:
                yield from _pieces(file)
        except OSError as failure:
            raise RetriableError(f"the file cannot be read: {failure.strerror}") from failure


@dataclass(frozen=True, slots=True)
class _Sftp:
    client: Any
    place: SftpDestination
    deadline: Deadline

    def files(self) -> Iterator[RemoteFile]:
        for number, one in enumerate(self.client.listdir_iter(self.place.path or ".")):
            self.deadline.progress()
            if number >= MOST_FILES:
                raise MisconfiguredError(f"the folder holds more than {MOST_FILES} files")
            if one.st_mode is None or stat.S_ISREG(one.st_mode):
                yield RemoteFile(one.filename, one.st_size or 0, str(one.st_mtime))

    def chunks(self, name: str) -> Iterator[bytes]:
        with self.client.open(f"{self.place.path or '.'}/{name}", "rb") as file:
            file.prefetch()
            for piece in _pieces(file):
                self.deadline.progress()
                yield piece


@dataclass(frozen=True, slots=True)
class _Store:
    storage: Any
    place: S3Destination
    deadline: Deadline

    @property
    def _prefix(self) -> str:
        """With the slash behind it; empty for the whole bucket."""
        folder = self.place.prefix.strip("/")
        return f"{folder}/" if folder else ""

    def files(self) -> Iterator[RemoteFile]:
        for number, one in enumerate(self.storage.bucket.objects.filter(Prefix=self._prefix, Delimiter="/")):
            self.deadline.progress()
            if number >= MOST_FILES:
                raise MisconfiguredError(f"the prefix holds more than {MOST_FILES} objects")
            name = one.key.removeprefix(self._prefix)
            if name:
                yield RemoteFile(name, one.size, _moment(one.last_modified))

    def chunks(self, name: str) -> Iterator[bytes]:
        body = self.storage.bucket.Object(self._prefix + name).get()["Body"]
        for piece in _pieces(body):
            self.deadline.progress()
            yield piece


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    while piece := file.read(CHUNK):
        yield piece


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()
