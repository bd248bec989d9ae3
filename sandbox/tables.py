"""A platform that takes files, each for one segment (001_6c0121e2456e8832.txt).

They are named `Mapp_dmp_<segmentId>_<year>_<month>_<day>_<hour>_<minute>.tsv.gz`. One column, the user id, adds;
a platform that knows removal reads a second one, `add` or `remove`. All lines of a file have the same columns. A
file of the same name again is taken again. They come by SFTP, or into a store as S3's (`objects`).
"""

import posixpath
import re
import time
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from sandbox.batch import UNEXPANDED
from sandbox.exchange import Answer, Request
from sandbox.files import TAKEN, FileAccount, FileParty, is_finished
from sandbox.ledger import Operation, Row
from sandbox.objects import PREFIX, prepare_object
from sandbox.packed import BadFileError, lines_of
from sandbox.parties import Action
from sandbox.sigv4 import signer

NAME = re.compile(r"Mapp_dmp_(\d{1,18})_(\d{4})_(\d{1,2})_(\d{1,2})_(\d{1,2})_(\d{1,2})\.tsv\.gz", re.ASCII)
OPERATIONS: dict[str, Operation] = {"add": "add", "remove": "remove"}

Change = tuple[Operation, str]


@dataclass(slots=True)
class TableAccount(FileAccount):
    members: dict[int, set[str]] = field(default_factory=dict)
    log: list[dict[str, Any]] = field(default_factory=list)

    def apply(self, segment: int, changes: list[Change]) -> None:
        members = self.members.setdefault(segment, set())
        for operation, userid in changes:
            if operation == "add":
                members.add(userid)
            else:
                members.discard(userid)
            self.arrivals.record(operation, [Row(segment, userid)])

    def note(self, name: str, rows: int, error: BadFileError | None) -> None:
        told = {"line": error and error.line, "error": error and error.reason}
        entry = {"file": name, "received": int(time.time()), "rows": rows}
        self.log.append(entry | {"status": "refused" if error else "processed"} | told)
        if error is not None:
            self.tally.rejected += 1
            where = f", line {error.line}" if error.line else ""
            self.violations.append(f"{name}{where}: {error.reason}")

    def holdings(self, *, members: bool) -> dict[str, Any]:
        segments: dict[str, Any] = {}
        for number, held in self.members.items():
            segments[str(number)] = {"size": len(held)} | ({"members": sorted(held)} if members else {})
        return {"segments": segments, "files": self.log, "unfinished": self.folder.unfinished()}

    def sizes(self) -> list[tuple[str, int]]:
        return [(str(number), len(held)) for number, held in self.members.items()]


class TableFiles(FileParty[TableAccount]):
    name = "files"

    def new_account(self) -> TableAccount:
        return TableAccount()

    def serves(self, path: str) -> bool:
        return path.startswith(PREFIX)

    def identify(self, request: Request) -> str:
        return signer(request)

    def prepare(self, account: TableAccount, request: Request) -> Action:
        return prepare_object(account.folder, partial(self._arrival, account), request)

    def _arrival(self, account: TableAccount, path: str, content: bytes) -> Action:
        return self.take(account, path, content) if is_finished(path) else Action(lambda _: False, lambda: TAKEN)

    def take(self, account: TableAccount, path: str, content: bytes) -> Action:
        name = posixpath.basename(path)
        try:
            segment, changes = read_table(name, content)
        except BadFileError as error:
            return Action(lambda _: False, partial(_refuse, account, name, error))

        def apply() -> Answer:
            account.apply(segment, changes)
            account.note(name, len(changes), None)
            return TAKEN

        return Action(lambda other: any(userid == other for _, userid in changes), apply)


def _refuse(account: TableAccount, name: str, broken: BadFileError) -> Answer:
    account.note(name, 0, broken)
    return Answer(400)


def read_table(name: str, content: bytes) -> tuple[int, list[Change]]:
    """The segment, and its changes in order; BadFile where a rule is broken. `name` is without folders."""
    found = NAME.fullmatch(name)
    if found is None:
        raise BadFileError("the name is not Mapp_dmp_<segmentId>_<year>_<month>_<day>_<hour>_<minute>.tsv.gz")
    try:
        datetime(*map(int, found.groups()[1:]))  # type: ignore[arg-type] # noqa: DTZ001 - only whether it is a time
    except ValueError as error:
        raise BadFileError("the name has no time <year>_<month>_<day>_<hour>_<minute>") from error
    lines = lines_of(content)
    columns = lines[0].count("\t") + 1
    return int(found[1]), [_change(number, line, columns) for number, line in enumerate(lines, 1)]


def _change(number: int, line: str, columns: int) -> Change:
    userid, *rest = line.split("\t")
    if len(rest) > 1 or len(rest) + 1 != columns:
        raise BadFileError("one column, or two: all lines of a file alike", number)
    if not userid or userid in UNEXPANDED:
        raise BadFileError("no user id", number)
    if rest and rest[0] not in OPERATIONS:
        raise BadFileError(f"operation {rest[0][:60]!r} is neither add nor remove", number)
    return OPERATIONS[rest[0]] if rest else "add", userid
