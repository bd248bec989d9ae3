"""Any destination, by its kind."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from core import extras
from integrations.connectors.files import Destination, Folder, Sftp
from integrations.errors import RetriableError
from integrations.uploads import folder


@dataclass(frozen=True, slots=True)
class Parcel:
    """A file to upload. `known_key` is the server's, where it was seen before; `alive` is called now and then and may
    raise; `seconds` bounds each step, not the whole."""

    path: Path
    name: str
    known_key: str
    alive: Callable[[], None]
    seconds: float


def upload(destination: Destination, parcel: Parcel) -> str:
    """Upload under a temporary name, then rename; answers the server's key, empty where there is none.

    Raises `integrations.errors`: `Unauthorized` for a refused log-in or another host key, `Unanswered` where the file
    may be there.
    """
    if isinstance(destination, Folder):
        folder.upload(destination, parcel.path, parcel.name)
        return ""
    with extras.explained(RetriableError):  # the rows wait until somebody has installed the extra
        from integrations.uploads import s3, sftp
    if isinstance(destination, Sftp):
        return sftp.upload(destination, parcel.path, parcel.name, parcel.known_key, parcel.alive, parcel.seconds)
    s3.upload(destination, parcel.path, parcel.name, parcel.alive, parcel.seconds)
    return ""
