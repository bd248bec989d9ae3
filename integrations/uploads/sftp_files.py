"""Putting one file on an SFTP server, whatever the server's habits are.

Usually a file is written under a temporary name and renamed, so that nobody reads half of it. Servers differ: some do
not tell sizes, refuse names that begin with a dot, or do not rename. *Drop boxes* take a file away as soon as it is
closed: there it is written under its own name at once, and nothing else is asked.
"""

import posixpath
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import paramiko
from paramiko.sftp import SFTP_NO_SUCH_FILE

from integrations.connectors.files import SftpDestination
from integrations.errors import (
    IntegrationError,
    MisconfiguredError,
    RetriableError,
    UnansweredError,
    UnsettledError,
)
from integrations.uploads.sftp_client import LASTING, SftpStatusError, UploadClient

BROKEN = (paramiko.SSHException, OSError, EOFError)
"""What is raised where a connection breaks, or takes too long."""
HINT = "For a server that cannot do this, there is the setting drop_box."


def partial_names(name: str) -> tuple[str, str]:
    """Returns the temporary names of a file: the usual one, and one for servers that take plain names only."""
    return f".{name}.part", f"{name.replace('.', '_')}_part"


class SftpFolder:
    """The folder of a destination, over a connection that is logged in."""

    def __init__(self, client: UploadClient, to: SftpDestination) -> None:
        self.client = client
        self._to = to

    def place(self, name: str) -> str:
        return posixpath.join(self._to.path or ".", name)

    def remove_left_behind(self, names: Sequence[str]) -> list[str]:
        """Remove what uploads of these files left when their connections broke. Returns the names of those files."""
        return [name for name in names if self._discard_partials(name)]

    def _discard_partials(self, name: str) -> bool:
        usual, plain = (self.client.discard(self.place(partial)) for partial in partial_names(name))
        return usual or plain

    def put(self, path: Path, name: str, on_progress: Callable[[], None]) -> None:
        """Put the file there whole, or not at all as far as the server lets us know. Raises `integrations.errors`."""
        if self._to.drop_box:
            place, handle = self._create([name])
            self._write(place, handle, path, on_progress)
            return
        partial, handle = self._create(partial_names(name))
        written = self._write(partial, handle, path, on_progress)
        with self._answered("the file was looked at"):
            told = self.client.size(partial)
        if told not in {None, written}:
            self._discard(partial)
            raise RetriableError(f"the server {self._to.host} holds {told} bytes of the {written} that it confirmed")
        self.rename(partial, self.place(name))

    def _create(self, names: Sequence[str]) -> tuple[str, bytes]:
        """Create a file under the first of the names that the server takes. Returns its path and handle."""
        refusal: SftpStatusError | None = None
        for name in names:
            try:
                return self.place(name), self.client.create(self.place(name))
            except SftpStatusError as failure:
                refusal = failure
            except BROKEN as failure:
                raise self._broke_off(failure, "a file was opened") from failure
        assert refusal is not None
        raise self.refused(refusal) from refusal

    def _write(self, place: str, handle: bytes, path: Path, on_progress: Callable[[], None]) -> int:
        try:
            with path.open("rb") as source:
                written = self.client.write(handle, source, on_progress)
            self.client.close_file(handle)
        except SftpStatusError as refusal:
            self.give_up(place, handle)
            raise self.refused(refusal) from refusal
        except BROKEN as failure:
            raise self._broke_off(failure, "the file was written") from failure
        except Exception:  # what `on_progress` raises
            self.give_up(place, handle)
            raise
        return written

    def rename(self, partial: str, target: str) -> None:
        """Give the file its own name: by OpenSSH's extension, which replaces a file, or as the protocol does."""
        refusal: SftpStatusError | None = None
        for rename in (self.client.posix_rename, self.client.rename):
            try:
                with self._answered("the file was renamed"):
                    rename(partial, target)
            except SftpStatusError as failure:
                refusal = failure
            else:
                return
        assert refusal is not None
        raise self._not_renamed(partial, refusal) from refusal

    def _not_renamed(self, partial: str, refusal: SftpStatusError) -> IntegrationError:
        host = self._to.host
        with self._answered("the file was removed"):
            if refusal.code == SFTP_NO_SUCH_FILE and self.client.is_gone(partial):
                return UnsettledError(
                    f"the server {host} took the file away under its temporary name, before it was renamed. {HINT}"
                )
            removed = self.client.discard(partial)
        left = "it was removed again" if removed else f"“{partial}” is left there, for it cannot be removed either"
        text = f"the server {host} takes the file and does not rename it: {refusal}; {left}. {HINT}"
        return MisconfiguredError(text) if refusal.code in LASTING else RetriableError(text)

    @contextmanager
    def _answered(self, what: str) -> Iterator[None]:
        """Raises UnansweredError where the connection breaks meanwhile. What the server answers is raised as it is."""
        try:
            yield
        except BROKEN as failure:
            raise self._broke_off(failure, what) from failure

    def give_up(self, place: str, handle: bytes) -> None:
        """Close and remove what could not be written."""
        with suppress(SftpStatusError, *BROKEN):
            self.client.close_file(handle)
        self._discard(place)

    def _discard(self, place: str) -> None:
        with suppress(*BROKEN):
            self.client.discard(place)

    def refused(self, refusal: SftpStatusError) -> IntegrationError:
        """Returns what to raise where the server does not take a file."""
        text = f"the server {self._to.host} refuses to write to “{self._to.path}”: {refusal}"
        return MisconfiguredError(text) if refusal.code in LASTING else RetriableError(text)

    def _broke_off(self, failure: BaseException, what: str) -> UnansweredError:
        return UnansweredError(f"SFTP with {self._to.host} broke off while {what}: {type(failure).__name__}")
