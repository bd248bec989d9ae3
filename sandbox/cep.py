"""Mapp CEP's REST interface, version 6, as far as an audience needs it: `/cep/api/rest/v6/…`.

Above ten calls a second the platform responds with 500, "Database Access Limit Exceeded", to all senders of a system.
`membership/unsubscribe…` works as its document says, so it mails the contact. Each such mail is noted as a violation.
"""

import re
from collections.abc import Callable

import msgspec

from sandbox.authentication import BASIC_CHALLENGE, basic_account
from sandbox.cep_account import CepAccount, Clone, contact_document, contact_named, rejected
from sandbox.exchange import (
    RejectedError,
    SandboxRequest,
    SandboxResponse,
    json_response,
    method_not_allowed,
    parameters,
)
from sandbox.parties import Action, ThirdParty

BASE = "/cep/api/rest/v6/"
MAIL_ADDRESS = r"contact\+([1-9]\d{0,8})@example\.com"
IDENTIFIER = r"contact-([1-9]\d{0,8})"
NO_CONTENT = SandboxResponse(204)

Given = dict[str, str]
Handler = Callable[[CepAccount, Given, SandboxRequest], Action]


class Cep(ThirdParty[CepAccount]):
    """The account is a CEP system, named by basic authentication."""

    name = "cep"

    def new_account(self) -> CepAccount:
        return CepAccount()

    def serves(self, path: str) -> bool:
        return path.startswith("/cep/")

    def identify(self, request: SandboxRequest) -> str:
        try:
            return basic_account(request.headers.get("authorization", ""))
        except RejectedError as rejection:
            denied = rejected("PERMISSION_DENIED", rejection.reason, 401)
            raise RejectedError(401, rejection.reason, headers=BASIC_CHALLENGE, document=denied.document) from rejection

    def prepare(self, account: CepAccount, request: SandboxRequest) -> Action:
        if not account.calls.admits():
            raise _exceeded()
        if not request.path.startswith(BASE) or request.path.removeprefix(BASE) not in CALLS:
            raise rejected("NO_SUCH_OBJECT", f"no call {request.path}", 404)
        method, names, handler = CALLS[request.path.removeprefix(BASE)]
        if request.method != method:
            raise method_not_allowed(method)
        return handler(account, _given(request.query, names), request)


def _exceeded() -> RejectedError:
    message = "Database Access Limit Exceeded"
    return RejectedError(500, message, document={"errorActor": "SERVER", "errorCode": "UNKNOWN", "message": message})


def _given(query: str, names: frozenset[str]) -> Given:
    if re.search(r"[+\[\]]", query):
        raise rejected("INVALID_PARAMETER", "the query has + or brackets that are not percent-encoded")
    try:
        given = parameters(query)
    except RejectedError as rejection:
        raise rejected("INVALID_PARAMETER", rejection.reason) from rejection
    if names - given.keys():
        raise rejected("MISSING_PARAMETER", f"{', '.join(sorted(names - given.keys()))}")
    if given.keys() - names:
        raise rejected("INVALID_PARAMETER", f"unexpected {', '.join(sorted(given.keys() - names))}")
    return given


def _number(given: Given, name: str) -> int:
    if not re.fullmatch(r"\d{1,18}", given[name], re.ASCII):
        raise rejected("INVALID_PARAMETER", f"{name} is not a number")
    return int(given[name])


def _reading(document: object, contact: int | None = None) -> Action:
    return Action(lambda userid: userid == str(contact), lambda: json_response(document))


def _version(_: CepAccount, __: Given, ___: SandboxRequest) -> Action:
    return _reading({"apiVersion": "v6"})


def _get_group(account: CepAccount, given: Given, _: SandboxRequest) -> Action:
    number = _number(given, "groupId")
    return _reading(account.group(number).document(number))


def _clone_group(account: CepAccount, given: Given, request: SandboxRequest) -> Action:
    account.group(_number(given, "groupId"))
    request.require_json()
    try:
        clone = msgspec.json.decode(request.body, type=Clone)
    except msgspec.ValidationError as error:
        missing = "missing required field" in str(error)
        raise rejected("MISSING_PARAMETER" if missing else "INVALID_PARAMETER", str(error)) from error
    except msgspec.DecodeError as error:
        raise rejected("INVALID_PARAMETER", f"not JSON: {error}") from error
    account.check(clone)
    return Action.without_users(lambda: json_response(account.clone(clone)))


def _by_id(given: Given) -> int:
    return int(contact_document(_number(given, "userId"))["id"])


def _by_email(given: Given) -> int:
    return contact_named(MAIL_ADDRESS, given["email"])


def _by_identifier(given: Given) -> int:
    return contact_named(IDENTIFIER, given["identifier"])


def _user(find: Callable[[Given], int]) -> Handler:
    def handler(_: CepAccount, given: Given, __: SandboxRequest) -> Action:
        contact = find(given)
        return _reading(contact_document(contact), contact)

    return handler


def _subscribe(find: Callable[[Given], int]) -> Handler:
    def handler(account: CepAccount, given: Given, _: SandboxRequest) -> Action:
        if given["subscriptionMode"] != "OPT_IN":
            raise rejected("INVALID_PARAMETER", "subscriptionMode is not OPT_IN")
        number, contact = _number(given, "groupId"), find(given)
        group = account.group(number)

        def apply() -> SandboxResponse:
            account.subscribe(group, number, contact)
            return NO_CONTENT

        return Action(lambda userid: userid == str(contact), apply)

    return handler


def _leave(find: Callable[[Given], int], *, mails: bool) -> Handler:
    def handler(account: CepAccount, given: Given, _: SandboxRequest) -> Action:
        number, contact = _number(given, "groupId"), find(given)
        group = account.group(number)
        if contact not in group.members:
            raise rejected("NO_SUCH_OBJECT", f"user {contact} is not in group {number}")

        def apply() -> SandboxResponse:
            account.unsubscribe(group, number, contact)
            if mails:
                account.mails += 1
                account.violations.append(f"unsubscribe mailed contact {contact}: use membership/delete")
            return NO_CONTENT

        return Action(lambda userid: userid == str(contact), apply)

    return handler


CALLS: dict[str, tuple[str, frozenset[str], Handler]] = {
    "system/getApiVersion": ("GET", frozenset(), _version),
    "group/get": ("GET", frozenset({"groupId"}), _get_group),
    "group/clone": ("POST", frozenset({"groupId"}), _clone_group),
    "user/get": ("GET", frozenset({"userId"}), _user(_by_id)),
    "user/getByEmail": ("GET", frozenset({"email"}), _user(_by_email)),
    "user/getByIdentifier": ("GET", frozenset({"identifier"}), _user(_by_identifier)),
    "membership/subscribe": ("POST", frozenset({"userId", "groupId", "subscriptionMode"}), _subscribe(_by_id)),
    "membership/subscribeByEmail": ("POST", frozenset({"email", "groupId", "subscriptionMode"}), _subscribe(_by_email)),
    "membership/delete": ("DELETE", frozenset({"userId", "groupId"}), _leave(_by_id, mails=False)),
    "membership/unsubscribe": ("POST", frozenset({"userId", "groupId"}), _leave(_by_id, mails=True)),
    "membership/unsubscribeByEmail": ("POST", frozenset({"email", "groupId"}), _leave(_by_email, mails=True)),
}
"""By path: the method, the parameters (all required, no other known), and the handler."""
