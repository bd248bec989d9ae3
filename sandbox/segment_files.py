"""A platform that takes files, each for one segment (001_6c0121e2456e8832.txt).

Files are named `Mapp_dmp_<segmentId>_<year>_<month>_<day>_<hour>_<minute>.tsv.gz`. One column, the user id,
adds. A platform that knows removal reads a second column, `add` or `remove`. All lines of a file have the same columns.
A file with the same name is processed again. Files arrive by SFTP or in a store like S3 (`object_store`).
"""

import posixpath
import re
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

from sandbox.batch import UNEXPANDED
from sandbox.exchange import SandboxRequest, SandboxResponse
from sandbox.files import ACCEPTED, BadFileError, FileAccount, FileParty, is_finished, lines_of
from sandbox.ledger import MemberRow, Operation
from sandbox.object_store import PREFIX, prepare_object
from sandbox.parties import Action
from sandbox.sigv4 import signer

NAME = re.compile(r"Mapp_dmp_(\d{1,18})_(\d{4})_(\d{1,2})_(\d{1,2})_(\d{1,2})_(\d{1,2})\.tsv\.gz", re.ASCII)
OPERATIONS: dict[str, Operation] = {"add": "add", "remove": "remove"}

Mutation = tuple[Operation, str]


@dataclass(slots=True)
class SegmentFileAccount(FileAccount):
    members: dict[int, set[str]] = field(default_factory=dict)

    def apply(self, segment: int, changes: list[Mutation]) -> None:
        members = self.members.setdefault(segment, set())
        for operation, userid in changes:
            if operation == "add":
                members.add(userid)
            else:
                members.discard(userid)
            self.arrivals.record(operation, [MemberRow(segment, userid)])

    def note(self, name: str, rows: int, error: BadFileError | None) -> None:
        self.log_file(name, {"file": name, "received": int(time.time()), "rows": rows}, error)

    def holdings(self, *, members: bool) -> dict[str, Any]:
        segments: dict[str, Any] = {}
        for number, held in self.members.items():
            segments[str(number)] = {"size": len(held)} | ({"members": sorted(held)} if members else {})
        return {"segments": segments, "files": self.log, "unfinished": self.folder.unfinished()}

    def sizes(self) -> list[tuple[str, int]]:
        return [(str(number), len(held)) for number, held in self.members.items()]


class SegmentFiles(FileParty[SegmentFileAccount]):
    name = "files"

    def new_account(self) -> SegmentFileAccount:
        return SegmentFileAccount()

    def serves(self, path: str) -> bool:
        return path.startswith(PREFIX)

    def identify(self, request: SandboxRequest) -> str:
        return signer(request)

    def prepare(self, account: SegmentFileAccount, request: SandboxRequest) -> Action:
        return prepare_object(account.folder, partial(self._prepare_file, account), request)

    def _prepare_file(self, account: SegmentFileAccount, path: str, content: bytes) -> Action:
        return self.take(account, path, content) if is_finished(path) else Action.without_users(lambda: ACCEPTED)

    def take(self, account: SegmentFileAccount, path: str, content: bytes) -> Action:
        name = posixpath.basename(path)
        try:
            segment, changes = read_table(name, content)
        except BadFileError as error:
            return Action.without_users(partial(_log_refused, account, name, error))

        def apply() -> SandboxResponse:
            account.apply(segment, changes)
            account.note(name, len(changes), None)
            return ACCEPTED

        return Action(lambda other: any(userid == other for _, userid in changes), apply)


def _log_refused(account: SegmentFileAccount, name: str, broken: BadFileError) -> SandboxResponse:
    account.note(name, 0, broken)
    return SandboxResponse(400)


def read_table(name: str, content: bytes) -> tuple[int, list[Mutation]]:
    """Return the segment and its changes in order. `name` has no folder. Raises `BadFileError` if a rule is broken."""
    found = NAME.fullmatch(name)
    if found is None:
        raise BadFileError("the name is not Mapp_dmp_<segmentId>_<year>_<month>_<day>_<hour>_<minute>.tsv.gz")
    try:
        year, month, day, hour, minute = map(int, found.groups()[1:])
        datetime(year, month, day, hour, minute, tzinfo=UTC)
    except ValueError as error:
        raise BadFileError("the name has no time <year>_<month>_<day>_<hour>_<minute>") from error
    lines = lines_of(content)
    columns = lines[0].count("\t") + 1
    return int(found[1]), [_change(number, line, columns) for number, line in enumerate(lines, 1)]


def _change(number: int, line: str, columns: int) -> Mutation:
    userid, *rest = line.split("\t")
    if len(rest) > 1 or len(rest) + 1 != columns:
        raise BadFileError("one column, or two: all lines of a file alike", number)
    if not userid or userid in UNEXPANDED:
        raise BadFileError("no user id", number)
    if rest and rest[0] not in OPERATIONS:
        raise BadFileError(f"operation {rest[0][:60]!r} is neither add nor remove", number)
    return OPERATIONS[rest[0]] if rest else "add", userid
