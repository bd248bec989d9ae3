"""A receiver of Mapp's webhook: checks the signature over the raw body, and each message's shape."""

import hashlib
import hmac
from typing import Annotated, TypeVar
from uuid import UUID

import msgspec

from sandbox.exchange import Answer, Refused, Request, json_answer, method_refused, parameters
from sandbox.parties import Action, ThirdParty
from tests.connectors.parties.held import Held, account_in_path

PATH = r"/mapp-webhook/([a-z]+)"
MOST = 100


class Create(msgspec.Struct, forbid_unknown_fields=True, rename="pascal"):
    type: str
    name: Annotated[str, msgspec.Meta(min_length=1)]
    customer: int
    audience: Annotated[str, msgspec.Meta(min_length=1)]


class Mutation(msgspec.Struct, forbid_unknown_fields=True):
    Uuid: UUID
    Audience: str
    Customer: int
    Platform: int
    External_user_id: Annotated[str, msgspec.Meta(min_length=1)]


class Change(msgspec.Struct, forbid_unknown_fields=True, rename="pascal"):
    type: str
    mutations: Annotated[list[Mutation], msgspec.Meta(min_length=1, max_length=MOST)]


MessageT = TypeVar("MessageT", Create, Change)


class Webhook(ThirdParty[Held]):
    name = "webhook"

    def new_account(self) -> Held:
        return Held()

    def serves(self, path: str) -> bool:
        return path.startswith("/mapp-webhook")

    def identify(self, request: Request) -> str:
        account = account_in_path(request, PATH)
        expected = hmac.new(f"{account}-secret".encode(), request.body, hashlib.sha1).hexdigest()
        if request.headers.get("x-hmac") != expected:
            raise Refused(403, "X-HMAC is not the signature of this body")
        return account

    def prepare(self, account: Held, request: Request) -> Action:
        if request.method != "POST":
            raise method_refused("POST")
        kind = parameters(request.query).get("type", "")
        if kind == "VALIDATE":
            return Action(lambda _: False, lambda: Answer(200))
        if kind == "CREATE_AUDIENCE":
            return self._create(account, _read(request, Create, kind))
        if kind in {"ADD_TO_AUDIENCE", "REMOVE_FROM_AUDIENCE"}:
            return self._change(account, _read(request, Change, kind), adds=kind == "ADD_TO_AUDIENCE")
        raise Refused(400, f"unknown type {kind}")

    def _create(self, account: Held, message: Create) -> Action:
        """Uneven audiences are given an id, the others keep theirs."""
        key = f"w-{message.audience}" if int(message.audience) % 2 else message.audience

        def apply() -> Answer:
            account.members.setdefault(key, set())
            account.titles[key] = message.name
            return json_answer({"id": key, "more": {"x": 1}} if key.startswith("w-") else {})

        return Action(lambda _: False, apply)

    def _change(self, account: Held, message: Change, *, adds: bool) -> Action:
        unknown = {one.Audience for one in message.mutations} - account.members.keys()
        if unknown:
            raise Refused(404, f"no audience {min(unknown)}")
        ids = {one.External_user_id for one in message.mutations}

        def apply() -> Answer:
            for one in message.mutations:
                members = account.members[one.Audience]
                (members.add if adds else members.discard)(one.External_user_id)
            return Answer(200)

        return Action(ids.__contains__, apply)


def _read(request: Request, kind: type[MessageT], expected: str) -> MessageT:
    try:
        message = msgspec.json.decode(request.body, type=kind)
    except msgspec.DecodeError as wrong:
        raise Refused(400, str(wrong)) from wrong
    if message.type != expected:
        raise Refused(400, "Type is not that of the address")
    return message
