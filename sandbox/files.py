"""Third parties that are sent files: where uploads lie, and what takes a finished one."""

import asyncio
import posixpath
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, TypeVar

from sandbox.exchange import Answer, Request
from sandbox.faults import Faults, Verdict
from sandbox.ledger import Account
from sandbox.page import Recent
from sandbox.parties import Action, ThirdParty

FIRST_FOLDERS = ("/", "/upload")


def is_finished(path: str) -> bool:
    """Whether the name is a file's own: anything but `*.gz`, or with a dot before, is an upload under way."""
    name = posixpath.basename(path)
    return name.endswith(".gz") and not name.startswith(".")


@dataclass(slots=True)
class Folder:
    """An account's uploads by absolute path; used by several threads, each step under `lock`."""

    lock: Lock = field(default_factory=Lock)
    files: dict[str, bytearray] = field(default_factory=dict)
    folders: set[str] = field(default_factory=lambda: set(FIRST_FOLDERS))

    def unfinished(self) -> list[str]:
        with self.lock:
            return sorted(path for path in self.files if not is_finished(path))


@dataclass(slots=True)
class FileAccount(Account):
    folder: Folder = field(default_factory=Folder)


FileAccountT = TypeVar("FileAccountT", bound=FileAccount)


class FileParty(ThirdParty[FileAccountT]):
    """A third party that takes files."""

    @abstractmethod
    def take(self, account: FileAccountT, path: str, content: bytes) -> Action:
        """What the finished file does; one that breaks a rule is noted as refused when it is applied."""


class Intake:
    """Hands finished files from other threads to their third party, in the sandbox's event loop."""

    def __init__(
        self, parties: Mapping[str, ThirdParty[Any]], faults: Faults, recent: Recent, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._parties = parties
        self._faults = faults
        self._recent = recent
        self._loop = loop

    def party(self, account: str) -> FileParty[Any]:
        """Users whose name begins with `files` are of the plain file platform, all others of MediaMath."""
        party = self._parties["files" if account.startswith("files") else "mediamath-s2s"]
        assert isinstance(party, FileParty)
        return party

    def folder(self, account: str) -> Folder:
        folder: Folder = self.party(account).account(account).folder
        return folder

    def finished(self, account: str, path: str, content: bytes) -> Verdict:
        """Waits until the file has been taken; what the faults made of it."""
        taking = self._take(self.party(account), account, path, content)
        return asyncio.run_coroutine_threadsafe(taking, self._loop).result()

    async def _take(self, party: FileParty[Any], name: str, path: str, content: bytes) -> Verdict:
        note = self._recent.note(party.name, Request("SFTP", path, "", {}, b""))
        note.account, account = name, party.account(name)
        account.tally.requests += 1
        action = party.take(account, path, content)
        verdict = self._faults.judge(party.name, name, action.concerns)
        account.tally.faulted += verdict.acts
        answer = action.apply() if verdict.applied else None
        await asyncio.sleep(verdict.delay)
        if not verdict.spoils:
            answer = answer or action.apply()
        note.answered(None if verdict.drop else verdict.answer or answer)
        return verdict


TAKEN = Answer(200)
