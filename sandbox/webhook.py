"""A receiver of Mapp's webhook: `/mapp-webhook`, or `/mapp-webhook/<account>`.

`X-HMAC` is the hex HMAC-SHA1 of the raw body, under `<account>-secret` (`default-secret` without an
account). Where the protocol says nothing: an audience that is created again keeps its id; a platform is a number or
a text; a message that names an unknown audience is not applied at all.
"""

import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID

import msgspec

from sandbox.authentication import secret_of
from sandbox.exchange import (
    RejectedError,
    SandboxRequest,
    SandboxResponse,
    json_response,
    method_not_allowed,
    parameters,
)
from sandbox.ledger import MemberRow, Operation, PartyAccount
from sandbox.parties import ACCOUNT_NAME, Action, ThirdParty
from sandbox.sync import DEFAULT_ACCOUNT

PATH = "/mapp-webhook"
FIRST_ID = 12345
MOST_MUTATIONS = 100

Text = Annotated[str, msgspec.Meta(min_length=1)]


class ValidateMessage(msgspec.Struct, forbid_unknown_fields=True):
    Type: Literal["VALIDATE"] = "VALIDATE"


class CreateMessage(msgspec.Struct, forbid_unknown_fields=True):
    Type: Literal["CREATE_AUDIENCE"]
    Name: Text
    Customer: int
    Audience: Text


class Mutation(msgspec.Struct, forbid_unknown_fields=True):
    Uuid: UUID
    Audience: Text
    Customer: int
    Platform: int | str
    External_user_id: Text


class ChangeMessage(msgspec.Struct, forbid_unknown_fields=True):
    Type: Literal["ADD_TO_AUDIENCE", "REMOVE_FROM_AUDIENCE"]
    Mutations: Annotated[list[Mutation], msgspec.Meta(min_length=1, max_length=MOST_MUTATIONS)]


OPERATIONS: dict[str, Operation] = {"ADD_TO_AUDIENCE": "add", "REMOVE_FROM_AUDIENCE": "remove"}
MessageT = TypeVar("MessageT", ValidateMessage, CreateMessage, ChangeMessage)


@dataclass(slots=True)
class HeldAudience:
    title: str
    own: str
    members: set[str] = field(default_factory=set)


@dataclass(slots=True)
class WebhookAccount(PartyAccount):
    """`audiences` by the ids that the receiver has given them. `own` is the id of the sender."""

    audiences: dict[str, HeldAudience] = field(default_factory=dict)
    ids: "count[int]" = field(default_factory=lambda: count(FIRST_ID))
    adds: int = 0
    removes: int = 0
    repeats: int = 0

    def create(self, message: CreateMessage) -> SandboxResponse:
        for key, audience in self.audiences.items():
            if audience.own == message.Audience:
                audience.title = message.Name
                return json_response({"id": key})
        key = str(next(self.ids))
        self.audiences[key] = HeldAudience(message.Name, message.Audience)
        return json_response({"id": key})

    def change(self, operation: Operation, mutations: list[Mutation]) -> SandboxResponse:
        for mutation in mutations:
            members, userid = self.audiences[mutation.Audience].members, mutation.External_user_id
            self.repeats += (userid in members) == (operation == "add")
            if operation == "add":
                members.add(userid)
                self.adds += 1
            else:
                members.discard(userid)
                self.removes += 1
        self.arrivals.record(operation, [MemberRow(int(one.Audience), one.External_user_id) for one in mutations])
        return json_response({})

    def holdings(self, *, members: bool) -> dict[str, Any]:
        audiences: dict[str, Any] = {}
        for key, held in self.audiences.items():
            audiences[key] = {"title": held.title, "audience": held.own, "size": len(held.members)}
            if members:
                audiences[key]["members"] = sorted(held.members)
        return {"audiences": audiences, "adds": self.adds, "removes": self.removes, "repeats": self.repeats}

    def sizes(self) -> list[tuple[str, int]]:
        return [(f"{key} {held.title}", len(held.members)) for key, held in self.audiences.items()]


class Webhook(ThirdParty[WebhookAccount]):
    name = "mapp-webhook"

    def new_account(self) -> WebhookAccount:
        return WebhookAccount()

    def serves(self, path: str) -> bool:
        return path == PATH or path.startswith(f"{PATH}/")

    def identify(self, request: SandboxRequest) -> str:
        account = request.path.removeprefix(PATH).removeprefix("/") or DEFAULT_ACCOUNT
        if not ACCOUNT_NAME.fullmatch(account):
            raise RejectedError(404, "no such webhook")
        expected = hmac.new(secret_of(account).encode(), request.body, "sha1").hexdigest()
        given = request.headers.get("x-hmac", "")
        if not hmac.compare_digest(given.encode(errors="surrogateescape"), expected.encode()):
            raise RejectedError(401, "X-HMAC is not the hex HMAC-SHA1 of the body")
        return account

    def prepare(self, account: WebhookAccount, request: SandboxRequest) -> Action:
        if request.method != "POST":
            raise method_not_allowed("POST")
        given = parameters(request.query)
        if given.keys() != {"type"} or given["type"] not in KINDS:
            raise RejectedError(400, f"takes type, one of {', '.join(KINDS)}")
        return KINDS[given["type"]](account, given["type"], request.body)


def _validate(_: WebhookAccount, kind: str, body: bytes) -> Action:
    if body:
        _message(ValidateMessage, kind, body)
    return Action.without_users(lambda: json_response({}))


def _create(account: WebhookAccount, kind: str, body: bytes) -> Action:
    message = _message(CreateMessage, kind, body)
    return Action.without_users(lambda: account.create(message))


def _change(account: WebhookAccount, kind: str, body: bytes) -> Action:
    mutations = _message(ChangeMessage, kind, body).Mutations
    unknown = sorted({one.Audience for one in mutations} - account.audiences.keys())
    if unknown:
        raise RejectedError(400, f"no audience {', '.join(unknown)}")
    return Action(
        lambda userid: any(one.External_user_id == userid for one in mutations),
        lambda: account.change(OPERATIONS[kind], mutations),
    )


def _message(shape: type[MessageT], kind: str, body: bytes) -> MessageT:
    try:
        message = msgspec.json.decode(body, type=shape)
    except msgspec.DecodeError as error:
        raise RejectedError(400, str(error)) from error
    if message.Type != kind:
        raise RejectedError(400, f"Type is {message.Type}, but the address says {kind}")
    return message


KINDS: dict[str, Callable[[WebhookAccount, str, bytes], Action]] = {
    "VALIDATE": _validate,
    "CREATE_AUDIENCE": _create,
    "ADD_TO_AUDIENCE": _change,
    "REMOVE_FROM_AUDIENCE": _change,
}
