"""Third parties that receive files: the folder of uploads, the intake of finished files, and reading packed lines."""

import asyncio
import gzip
import posixpath
import zlib
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, TypeVar

from sandbox.exchange import SandboxRequest, SandboxResponse
from sandbox.faults import FaultEffect, Faults
from sandbox.ledger import PartyAccount
from sandbox.page import RecentRequests
from sandbox.parties import Action, ThirdParty

FIRST_FOLDERS = ("/", "/upload")
ACCEPTED = SandboxResponse(200)
REJECTED = SandboxResponse(400)


@dataclass(slots=True)
class BadFileError(Exception):
    """A file that breaks a rule. `line` (from 1) is where; None means the file as a whole."""

    reason: str
    line: int | None = None


def lines_of(content: bytes) -> list[str]:
    """Return the lines of a gzip file without line ends.

    Raises `BadFileError` if it is not gzip or not UTF-8, or if a line does not end with a line feed alone.
    """
    try:
        text = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise BadFileError("not compressed with gzip") from error
    if b"\r" in text:
        raise BadFileError("a carriage return: lines end with LF alone", text[: text.index(b"\r")].count(b"\n") + 1)
    if not text.endswith(b"\n"):
        raise BadFileError("the last line does not end with LF", text.count(b"\n") + 1)
    try:
        return text[:-1].decode().split("\n")
    except UnicodeDecodeError as error:
        raise BadFileError("not UTF-8", text[: error.start].count(b"\n") + 1) from error


def is_finished(path: str) -> bool:
    """Whether the upload is finished. A name with a dot before it, or without `.gz`, is an unfinished upload."""
    name = posixpath.basename(path)
    return name.endswith(".gz") and not name.startswith(".")


@dataclass(slots=True)
class Folder:
    """The uploads of an account by absolute path. Several threads use it, each step under `lock`."""

    lock: Lock = field(default_factory=Lock)
    files: dict[str, bytearray] = field(default_factory=dict)
    folders: set[str] = field(default_factory=lambda: set(FIRST_FOLDERS))

    def unfinished(self) -> list[str]:
        with self.lock:
            return sorted(path for path in self.files if not is_finished(path))


@dataclass(slots=True)
class FileAccount(PartyAccount):
    """An account that receives files. `log` has an entry for each finished file."""

    folder: Folder = field(default_factory=Folder)
    log: list[dict[str, Any]] = field(default_factory=list)

    def log_file(self, name: str, entry: dict[str, Any], error: BadFileError | None) -> None:
        """Append an entry to the log: the file was processed, or refused with an error."""
        result = {"status": "refused" if error else "processed"}
        self.log.append(entry | result | {"line": error and error.line, "error": error and error.reason})
        if error is not None:
            self.tally.rejected += 1
            where = f", line {error.line}" if error.line else ""
            self.violations.append(f"{name}{where}: {error.reason}")


FileAccountT = TypeVar("FileAccountT", bound=FileAccount)


class FileParty(ThirdParty[FileAccountT]):
    """A third party that receives files."""

    @abstractmethod
    def take(self, account: FileAccountT, path: str, content: bytes) -> Action:
        """Return what a finished file does. Applying a file that breaks a rule logs it as refused."""


class Intake:
    """Gives finished files from other threads to their third party, in the event loop of the sandbox."""

    def __init__(
        self,
        parties: Mapping[str, ThirdParty[Any]],
        faults: Faults,
        recent: RecentRequests,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._parties = parties
        self._faults = faults
        self._recent = recent
        self._loop = loop

    def party(self, account: str) -> FileParty[Any]:
        """Return the third party of an SFTP user: `files…` is the plain file platform, any other name MediaMath."""
        party = self._parties["files" if account.startswith("files") else "mediamath-s2s"]
        assert isinstance(party, FileParty)
        return party

    def folder(self, account: str) -> Folder:
        folder: Folder = self.party(account).account(account).folder
        return folder

    def finished(self, account: str, path: str, content: bytes) -> FaultEffect:
        """Wait until the file is processed. Return the effect of faults on it."""
        taking = self._take(self.party(account), account, path, content)
        return asyncio.run_coroutine_threadsafe(taking, self._loop).result()

    async def _take(self, party: FileParty[Any], name: str, path: str, content: bytes) -> FaultEffect:
        note = self._recent.note(party.name, SandboxRequest("SFTP", path, "", {}, b""))
        note.account, account = name, party.account(name)
        account.tally.requests += 1
        action = party.take(account, path, content)
        effect = self._faults.effect_on(party.name, name, action.concerns)
        account.tally.faulted += effect.acts
        answer = action.apply() if effect.applied else None
        await asyncio.sleep(effect.delay)
        if not effect.spoils:
            answer = answer or action.apply()
        note.set_status(None if effect.drop else effect.response or answer)
        return effect
