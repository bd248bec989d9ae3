"""A platform with lists of users, whose answers speak of each row: 207 (RFC 4918 § 13), and 409 for what exists.

`POST /lists/v1/lists` `{"name"}` makes a list: 201, or 409 if there is one of this name. `GET /lists/v1/lists?name=`
finds those whose name begins so. `POST` and `DELETE /lists/v1/lists/<id>/users` `{"users": [{"id"}]}`, up to 100,
answer 207 with a result for each user, the last one first: 201 or 204; 422 for an id that is not one of the platform;
409 for an id that begins with `new`, the first time, because the platform is still at work on it. Tokens come from
`/lists/token`, which wants the client's secret in the body (RFC 6749 § 2.3.1) and takes nothing else.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from urllib.parse import parse_qs

import msgspec

from sandbox.authentication import FORM, IssuedTokens, is_secret_of
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

FIRST_LIST = 501
MOST_USERS = 100
LISTS = "/lists/v1/lists"
OPERATIONS: dict[str, Operation] = {"POST": "add", "DELETE": "remove"}
TAKEN = {"add": 201, "remove": 204}
_USERS = re.compile(rf"{LISTS}/([0-9]{{1,9}})/users")
_ID = re.compile(r"[a-z0-9]{1,40}")


class ListUser(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: str


class ListUsers(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    users: list[ListUser]


class NewList(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str


@dataclass(slots=True)
class ListAccount(PartyAccount):
    """`names` and `members` by list. `met`: ids that begin with `new` and were answered 409 once."""

    names: dict[int, str] = field(default_factory=dict)
    members: dict[int, set[str]] = field(default_factory=dict)
    met: set[str] = field(default_factory=set)

    def change(self, number: int, operation: Operation, users: list[str]) -> list[dict[str, Any]]:
        results = [self._result(number, operation, user) for user in users]
        taken = [MemberRow(number, one["id"]) for one in results if one["status"] < 300]
        self.arrivals.record(operation, taken)
        return results[::-1]

    def _result(self, number: int, operation: Operation, user: str) -> dict[str, Any]:
        if not _ID.fullmatch(user):
            return {"id": user, "status": 422, "error": {"message": f"{user!r} is no user id"}}
        if user.startswith("new") and user not in self.met:
            self.met.add(user)
            return {"id": user, "status": 409, "error": {"message": "an operation on this user is in progress"}}
        if operation == "add":
            self.members[number].add(user)
        else:
            self.members[number].discard(user)
        return {"id": user, "status": TAKEN[operation]}

    def holdings(self, *, members: bool) -> dict[str, Any]:
        segments: dict[str, Any] = {}
        for number, name in self.names.items():
            segments[str(number)] = {"title": name, "size": len(self.members[number])}
            if members:
                segments[str(number)]["members"] = sorted(self.members[number])
        return {"segments": segments}

    def sizes(self) -> list[tuple[str, int]]:
        return [(f"{number} {name}", len(self.members[number])) for number, name in self.names.items()]


class UserLists(ThirdParty[ListAccount]):
    name = "lists"

    def __init__(self) -> None:
        super().__init__()
        self._ids: Iterator[int] = count(FIRST_LIST)
        self._tokens = IssuedTokens()

    def new_account(self) -> ListAccount:
        return ListAccount()

    def serves(self, path: str) -> bool:
        return path in {"/lists/token", LISTS} or _USERS.fullmatch(path) is not None

    def reset(self) -> None:
        super().reset()
        self._ids = count(FIRST_LIST)
        self._tokens = IssuedTokens()

    def identify(self, request: SandboxRequest) -> str:
        given = request.headers.get("authorization", "")
        if request.path == "/lists/token":
            return _client(request)
        if not given.lower().startswith("bearer "):
            raise RejectedError(401, "Authorization: Bearer <token>", document=_problem("unauthorized", "no token"))
        return self._tokens.account(given[7:].strip())

    def prepare(self, account: ListAccount, request: SandboxRequest) -> Action:
        if request.path == "/lists/token":
            return Action.without_users(lambda: self._tokens.issue(_client(request)))
        if (found := _USERS.fullmatch(request.path)) is not None:
            return _change(account, int(found.group(1)), request)
        if request.method == "GET":
            return _find(account, parameters(request.query))
        if request.method != "POST":
            raise method_not_allowed("GET, POST")
        name = _decoded(request, NewList).name
        if name in account.names.values():
            raise RejectedError(409, "exists", document=_problem("conflict", "a list of this name already exists"))
        return Action.without_users(lambda: self._create(account, name))

    def _create(self, account: ListAccount, name: str) -> SandboxResponse:
        number = next(self._ids)
        account.names[number], account.members[number] = name, set()
        return json_response({"data": {"id": number, "name": name}}, 201)


def _find(account: ListAccount, given: dict[str, str]) -> Action:
    if given.keys() != {"name"}:
        raise RejectedError(400, "expected name")
    found = [{"id": number, "name": name} for number, name in account.names.items() if name.startswith(given["name"])]
    return Action.without_users(lambda: json_response({"data": found}))


def _change(account: ListAccount, number: int, request: SandboxRequest) -> Action:
    if request.method not in OPERATIONS:
        raise method_not_allowed("POST, DELETE")
    if number not in account.names:
        raise RejectedError(404, f"no list {number}", document=_problem("not_found", f"there is no list {number}"))
    users = [user.id for user in _decoded(request, ListUsers).users]
    if not 0 < len(users) <= MOST_USERS or len(set(users)) < len(users):
        raise RejectedError(400, f"1 to {MOST_USERS} users, each once")
    operation = OPERATIONS[request.method]
    return Action(
        lambda userid: userid in users,
        lambda: json_response({"results": account.change(number, operation, users)}, 207),
    )


def _client(request: SandboxRequest) -> str:
    """Return the client that a request for a token names in its body. Raises `RejectedError` in the form of § 5.2."""
    given = parse_qs(request.body.decode("utf-8", "replace"))
    account, secret = given.get("client_id", [""]), given.get("client_secret", [""])
    known = len(account) == len(secret) == 1 and is_secret_of(account[0], secret[0])
    if "authorization" in request.headers or not known:
        raise RejectedError(401, "the secret belongs in the body", document={"error": "invalid_client"})
    if request.method != "POST" or request.media_type != FORM or given.get("grant_type") != ["client_credentials"]:
        raise RejectedError(400, "no request for a token", document={"error": "invalid_request"})
    return account[0]


def _problem(code: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}


def _decoded(request: SandboxRequest, form: Any) -> Any:
    request.require_json()
    try:
        return msgspec.json.decode(request.body, type=form)
    except msgspec.DecodeError as error:
        raise RejectedError(400, str(error)) from error
