"""Uploading a file to any kind of destination."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from core import extras
from integrations.connectors.files import Destination, FolderDestination, SftpDestination
from integrations.errors import RetriableError
from integrations.uploads import folder


@dataclass(frozen=True, slots=True)
class FileUpload:
    """A file to upload under `name`.

    `known_key` is the key of the server if it was seen before, otherwise empty. `on_progress` is called from time to
    time and may raise an `IntegrationError`, which ends the upload. `timeout` (s) limits each step, not the whole.
    """

    path: Path
    name: str
    known_key: str
    on_progress: Callable[[], None]
    timeout: float


def upload(destination: Destination, file: FileUpload) -> str:
    """Upload under a temporary name, then rename. Return the key of an SFTP server; empty for other destinations.

    Raises `integrations.errors`: `UnauthorizedError` for a refused log-in or an unexpected host key, `UnansweredError`
    if the file may have arrived. Blocks until the upload is done.
    """
    if isinstance(destination, FolderDestination):
        folder.upload(destination, file.path, file.name)
        return ""
    with extras.explained(RetriableError):  # the rows wait until somebody has installed the extra
        from integrations.uploads import s3, sftp
    if isinstance(destination, SftpDestination):
        return sftp.upload(destination, file.path, file.name, file.known_key, file.on_progress, file.timeout)
    s3.upload(destination, file.path, file.name, file.on_progress, file.timeout)
    return ""
