"""Uploading a file to any kind of destination, and trying out whether one could be uploaded."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

from core import extras
from integrations.connectors.files import Destination, FolderDestination, SftpDestination
from integrations.credential_binding import BoundCredentials, check_origins
from integrations.deadline import Deadline
from integrations.errors import RetriableError
from integrations.uploads import folder
from integrations.uploads.folder import FileOwner

# bytes a second: an upload that is slower than this in the whole is given up
SLOWEST_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class FileUpload:
    """A file to upload under `name`.

    `known_key` is the key of the server if it was seen before, otherwise empty. `on_progress` is called from time to
    time and may raise an error, which ends the upload. `timeout` (s) limits each step. `owner`: whose file it is.
    `left_behind`: files whose uploads broke off, by name; what they left there is removed first.
    """

    path: Path
    name: str
    known_key: str
    on_progress: Callable[[], None]
    timeout: float
    owner: FileOwner
    left_behind: Sequence[str] = ()

    def deadline(self) -> Deadline:
        """Return the deadline of the upload: a step may take `timeout`, the whole as long as its size allows."""
        return Deadline(self.timeout + self.path.stat().st_size / SLOWEST_BYTES, step=self.timeout)


class UploadedTo(NamedTuple):
    """`key`: of an SFTP server, empty for other destinations. `removed`: files of which something was left there."""

    key: str = ""
    removed: Sequence[str] = ()


def upload(destination: Destination, file: FileUpload, bound: BoundCredentials | None) -> UploadedTo:
    """Upload under a temporary name, then rename.

    `bound`: the stored credentials, which go only where they were given for (`Connector.bound`).

    Raises `integrations.errors`: `UnauthorizedError` for a refused log-in or an unexpected host key, `UnansweredError`
    if the file may have arrived. Blocks until the upload is done, or given up because it is too slow.
    """
    check_origins(bound, destination.origins)
    if isinstance(destination, FolderDestination):
        folder.upload(destination, file.path, file.name, file.owner)
        return UploadedTo()
    with extras.explained(RetriableError):  # the rows wait until somebody has installed the extra
        from integrations.uploads import s3, sftp
    with file.deadline() as deadline:

        def on_progress() -> None:
            file.on_progress()
            deadline.progress()

        if isinstance(destination, SftpDestination):
            named = (file.path, file.name, file.known_key)
            return UploadedTo(*sftp.upload(destination, *named, on_progress, deadline, file.left_behind))
        s3.upload(destination, file.path, file.name, on_progress, deadline)
        return UploadedTo()


def try_out(
    destination: Destination,
    bound: BoundCredentials | None,
    host_keys: Mapping[str, str],
    seconds: float,
    found: list[str],
    owner: FileOwner | None,
) -> None:
    """Connect, log in, write a small file and remove it. Adds a sentence to `found` for each thing that was found.

    The file has a name of unfinished uploads, so the platform leaves it alone. `host_keys` are the keys by which file
    servers are known, by address. `owner`: whose files they would be; None while
    the platform is not stored. Raises `integrations.errors`. Blocks for `seconds` at most.
    """
    check_origins(bound, destination.origins)
    name = f".dmphub-check-{uuid4().hex[:12]}.part"
    if isinstance(destination, FolderDestination):
        folder.try_out(destination, name, found, owner)
        return
    with extras.explained(RetriableError):
        from integrations.uploads import s3, sftp
    with Deadline(seconds) as deadline:
        if isinstance(destination, SftpDestination):
            sftp.try_out(destination, name, host_keys.get(destination.address, ""), found, deadline)
        else:
            s3.try_out(destination, name, found, deadline)
