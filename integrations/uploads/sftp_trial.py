"""What a check of an SFTP platform finds out: whether the server can do what an upload asks of it."""

import io

from integrations.connectors.files import SftpDestination
from integrations.errors import MisconfiguredError, RetriableError
from integrations.uploads.sftp_client import SftpStatusError
from integrations.uploads.sftp_files import BROKEN, SftpFolder

_CONTENT = b"dmphub"


def try_folder(folder: SftpFolder, to: SftpDestination, name: str, found: list[str]) -> None:
    """Write a small file under an unfinished name, look at it, rename it and remove it; say what the server cannot do.

    Nothing is written into a drop box: it would be taken for a file of members. Raises `integrations.errors`.
    """
    try:
        if to.drop_box:
            _look_at_drop_box(folder, to, found)
        else:
            _try_file(folder, to, name, found)
    except BROKEN as failure:
        raise RetriableError(f"SFTP with {to.host} broke off: {type(failure).__name__}") from failure


def _look_at_drop_box(folder: SftpFolder, to: SftpDestination, found: list[str]) -> None:
    if folder.client.is_gone(to.path or "."):
        raise MisconfiguredError(f"the server {to.host} has no folder “{to.path}”")
    found.append(f"“{to.path}” is a drop box: nothing was written, the first file will show whether it is taken")


def _try_file(folder: SftpFolder, to: SftpDestination, name: str, found: list[str]) -> None:
    client = folder.client
    place = _written(folder, to, name, found)
    if client.size(place) is None:
        found.append("it does not tell the size of a file that it was sent: uploads go without")
    renamed = f"{place}_renamed"
    try:
        folder.rename(place, renamed)
    except MisconfiguredError as refusal:
        found.append(str(refusal))
        raise
    if client.discard(renamed):
        found.append(f"a small file was written into “{to.path}”, renamed and removed")
    else:
        found.append(
            f"a small file was written and renamed, but not removed: {renamed}. What broken uploads leave stays, too"
        )


def _written(folder: SftpFolder, to: SftpDestination, name: str, found: list[str]) -> str:
    """Write the file, under a name without dots if need be. Returns its path."""
    plain = name.lstrip(".").replace(".", "_")
    refusal: SftpStatusError | None = None
    for place in (folder.place(name), folder.place(plain)):
        try:
            handle = folder.client.create(place)
        except SftpStatusError as failure:
            refusal = refusal or failure
            continue
        _fill(folder, place, handle)
        if refusal is not None:
            found.append(f"it refuses names that begin with a dot ({refusal}): temporary names will have none")
        return place
    assert refusal is not None
    raise folder.refused(refusal)


def _fill(folder: SftpFolder, place: str, handle: bytes) -> None:
    try:
        folder.client.write(handle, io.BytesIO(_CONTENT), lambda: None)
        folder.client.close_file(handle)
    except SftpStatusError as refusal:
        folder.give_up(place, handle)
        raise folder.refused(refusal) from refusal
