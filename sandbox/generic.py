"""The generic segment interface of 001_6c0121e2456e8832.txt: create, single calls, micro-batches, removal.

Where the document says nothing: a title that exists returns `created: false` and the existing id; a change that changes
nothing (adding a member, removing a non-member) is a success; ids are unique among all accounts, so a segment of
another account is unknown.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from sandbox.authentication import IssuedTokens, basic_account
from sandbox.batch import read_rows
from sandbox.exchange import (
    RejectedError,
    SandboxRequest,
    SandboxResponse,
    json_response,
    method_not_allowed,
    parameters,
)
from sandbox.ledger import MemberRow, Operation, PartyAccount
from sandbox.parties import Action, ThirdParty

FIRST_SEGMENT_ID = 12345
PAGE = 1_000
OPERATIONS: dict[str, Operation] = {"POST": "add", "DELETE": "remove"}


@dataclass(slots=True)
class HeldSegment:
    title: str
    members: set[str] = field(default_factory=set)


@dataclass(slots=True)
class SegmentAccount(PartyAccount):
    """`adds` and `removes` count accepted rows. `repeats` counts those rows that changed nothing."""

    segments: dict[int, HeldSegment] = field(default_factory=dict)
    ids_by_title: dict[str, int] = field(default_factory=dict)
    adds: int = 0
    removes: int = 0
    repeats: int = 0

    def create(self, title: str, ids: Iterator[int]) -> SandboxResponse:
        created = title not in self.ids_by_title
        if created:
            self.ids_by_title[title] = next(ids)
            self.segments[self.ids_by_title[title]] = HeldSegment(title)
        return json_response({"status": "OK", "created": created, "segment_id": self.ids_by_title[title]})

    def mutate(self, operation: Operation, rows: list[MemberRow]) -> int:
        """Apply every row and return the number of rows. Their segments must exist."""
        if operation == "add":
            changed = self._add(rows)
            self.adds += len(rows)
        else:
            changed = self._remove(rows)
            self.removes += len(rows)
        self.repeats += len(rows) - changed
        self.arrivals.record(operation, rows)
        return len(rows)

    def _add(self, rows: list[MemberRow]) -> int:
        changed = 0
        for row in rows:
            members = self.segments[row.segment].members
            if row.userid not in members:
                members.add(row.userid)
                changed += 1
        return changed

    def _remove(self, rows: list[MemberRow]) -> int:
        changed = 0
        for row in rows:
            members = self.segments[row.segment].members
            if row.userid in members:
                members.remove(row.userid)
                changed += 1
        return changed

    def holdings(self, *, members: bool) -> dict[str, Any]:
        segments: dict[str, Any] = {}
        for number, segment in self.segments.items():
            segments[str(number)] = {"title": segment.title, "size": len(segment.members)}
            if members:
                segments[str(number)]["members"] = sorted(segment.members)
        return {"segments": segments, "adds": self.adds, "removes": self.removes, "repeats": self.repeats}

    def sizes(self) -> list[tuple[str, int]]:
        return [(f"{number} {held.title}", len(held.members)) for number, held in self.segments.items()]


class GenericSegments(ThirdParty[SegmentAccount]):
    """The account is named by basic authentication (`<account>`, `<account>-secret`).

    A token from `/generic/token` names it too (OAuth 2 client credentials).
    """

    name = "generic"

    def __init__(self) -> None:
        super().__init__()
        self._ids = count(FIRST_SEGMENT_ID)
        self._tokens = IssuedTokens()

    def new_account(self) -> SegmentAccount:
        return SegmentAccount()

    def serves(self, path: str) -> bool:
        return path in {"/generic/v1/segment", "/generic/token"}

    def reset(self) -> None:
        super().reset()
        self._ids = count(FIRST_SEGMENT_ID)
        self._tokens = IssuedTokens()

    def identify(self, request: SandboxRequest) -> str:
        given = request.headers.get("authorization", "")
        if given.lower().startswith("bearer ") and request.path != "/generic/token":
            return self._tokens.account(given[7:].strip())
        return basic_account(given)

    def prepare(self, account: SegmentAccount, request: SandboxRequest) -> Action:
        if request.path == "/generic/token":
            return self._tokens.prepare(self.identify(request), request)
        if request.method == "GET":
            return _read(account, parameters(request.query.removesuffix("&after=")))
        if request.method not in OPERATIONS:
            raise method_not_allowed("GET, POST, DELETE")
        given = parameters(request.query)
        if given and request.body:
            raise RejectedError(400, "either parameters or a body, not both")
        if not given:
            return _batch(account, request)
        if given.keys() == {"title"} and request.method == "POST":
            return Action.without_users(lambda: account.create(given["title"], self._ids))
        return _single(account, OPERATIONS[request.method], given)


def _read(account: SegmentAccount, given: dict[str, str]) -> Action:
    """Read a page of a segment's members after `after`. The document has no such call; platforms often do."""
    if not {"id"} <= given.keys() <= {"id", "after"} or not re.fullmatch(r"[0-9]{1,18}", given["id"]):
        raise RejectedError(400, "expected id, and after for further pages")
    if int(given["id"]) not in account.segments:
        raise RejectedError(404, f"no segment {given['id']}")

    def page() -> SandboxResponse:
        members = sorted(account.segments[int(given["id"])].members)
        found = members[bisect_right(members, given.get("after", "")) :][:PAGE]
        return json_response({"status": "OK", "userids": found, "next": found[-1] if len(found) == PAGE else None})

    return Action.without_users(page)


def _single(account: SegmentAccount, operation: Operation, given: dict[str, str]) -> Action:
    if given.keys() != {"id", "userid"}:
        raise RejectedError(400, f"expected id and userid, or title to create; got {', '.join(sorted(given))}")
    if not re.fullmatch(r"[0-9]{1,18}", given["id"]):
        raise RejectedError(400, "id is not an integer")
    row = MemberRow(int(given["id"]), given["userid"])
    if row.segment not in account.segments:
        raise RejectedError(404, f"no segment {row.segment}")

    def apply() -> SandboxResponse:
        account.mutate(operation, [row])
        return json_response({"status": "OK"})

    return Action(lambda userid: userid == row.userid, apply)


def _batch(account: SegmentAccount, request: SandboxRequest) -> Action:
    rows = read_rows(request, account.segments.keys())
    operation = OPERATIONS[request.method]

    def apply() -> SandboxResponse:
        return json_response({"status": "OK", "mutations": account.mutate(operation, rows)})

    return Action(lambda userid: any(row.userid == userid for row in rows), apply)
