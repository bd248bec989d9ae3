"""CEP's REST API, version 6, in what an audience needs of it: groups cloned, contacts subscribed and deleted."""

import re
import time
from collections.abc import Callable
from typing import Any

import msgspec

from sandbox.exchange import Answer, Refused, Request, json_answer, parameters
from sandbox.parties import Action, ThirdParty
from tests.connectors.parties.held import Held, basic

BASE = "/cep/api/rest/v6/"
DEFAULT_GROUP = "4711"
PER_SECOND = 10
BOOLEANS = ("includePreparedMessages", "includeTestUsers", "keepOwner", "withOwnerAsMember")


def refusal(code: str) -> Action:
    """Errors of CEP have a shape of their own, and most are 400."""
    error = {"errorActor": "CLIENT", "errorCode": code, "message": f"{code} it is"}
    return Action(lambda _: False, lambda: json_answer(error, 400))


class Cep(ThirdParty[Held]):
    """The user name is the account. Contacts are whole numbers; none has more than nine digits."""

    name = "cep"

    def new_account(self) -> Held:
        return Held(members={DEFAULT_GROUP: set()}, titles={DEFAULT_GROUP: "DMP default"})

    def serves(self, path: str) -> bool:
        return path.startswith(BASE)

    def identify(self, request: Request) -> str:
        account, password = basic(request)
        if not account or password != f"{account}-secret":
            raise Refused(401, "who are you?")
        return account

    def prepare(self, account: Held, request: Request) -> Action:
        now = time.monotonic()
        account.calls[:] = [at for at in account.calls if at > now - 1]
        if len(account.calls) >= PER_SECOND:
            raise Refused(500, "Database Access Limit Exceeded")
        account.calls.append(now)
        given = parameters(request.query)
        calls: dict[tuple[str, str], Callable[[], Action]] = {
            ("GET", "system/getApiVersion"): lambda: _done(json_answer("6.40")),
            ("GET", "group/get"): lambda: _group(account, given),
            ("POST", "group/clone"): lambda: _clone(account, given, request),
            ("POST", "membership/subscribe"): lambda: _membership(account, given, joins=True),
            ("DELETE", "membership/delete"): lambda: _membership(account, given, joins=False),
        }
        call = calls.get((request.method, request.path.removeprefix(BASE)))
        return refusal("NO_SUCH_METHOD") if call is None else call()


def _done(answer: Answer) -> Action:
    return Action(lambda _: False, lambda: answer)


def _group(account: Held, given: dict[str, str]) -> Action:
    key = given.get("groupId", "")
    if key not in account.members:
        return refusal("NO_SUCH_OBJECT")
    return _done(json_answer({"id": int(key), "name": account.titles[key], "more": {}}))


def _clone(account: Held, given: dict[str, str], request: Request) -> Action:
    body: dict[str, Any] = msgspec.json.decode(request.body)
    if given.get("groupId") not in account.members:
        return refusal("NO_SUCH_OBJECT")
    if any(not isinstance(body.get(name), bool) for name in BOOLEANS):
        return refusal("MISSING_PARAMETER")
    name, email = str(body.get("name", "")), str(body.get("email", ""))
    if not re.fullmatch(r"[A-Za-z0-9 _.-]{1,150}", name) or not re.fullmatch(r"[^@\s]+@[^@\s]+", email):
        return refusal("INVALID_PARAMETER")
    if name in account.titles.values():
        return refusal("OBJECT_ALREADY_EXISTS")

    def apply() -> Answer:
        key = str(900_000 + len(account.members))
        account.members[key], account.titles[key] = set(), name
        return json_answer({"id": int(key), "name": name, "description": "", "email": email, "more": [1]})

    return Action(lambda _: False, apply)


def _membership(account: Held, given: dict[str, str], *, joins: bool) -> Action:
    expected = {"userId", "groupId"} | ({"subscriptionMode"} if joins else set())
    if given.keys() != expected or given.get("subscriptionMode", "OPT_IN") != "OPT_IN":
        return refusal("INVALID_PARAMETER")
    user, group = given["userId"], given["groupId"]
    if group not in account.members or not re.fullmatch(r"\d{1,9}", user):
        return refusal("NO_SUCH_OBJECT")
    members = account.members[group]
    if joins == (user in members):
        return refusal("OBJECT_ALREADY_EXISTS" if joins else "NO_SUCH_OBJECT")

    def apply() -> Answer:
        (members.add if joins else members.discard)(user)
        return Answer(204)

    return Action(lambda userid: userid == user, apply)
