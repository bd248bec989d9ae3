"""MediaMath's Event API as 002_f4257f686831c057.txt describes it: single events by address, batches by JSON and key."""

import re
import time
from typing import Any

import msgspec

from sandbox.exchange import Answer, Refused, Request, json_answer, method_refused, parameters
from sandbox.parties import Action, ThirdParty
from tests.connectors.parties.held import Held, account_in_path

GUID = re.compile(r"[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
HASH = re.compile(r"[0-9a-f]{64}")
MOST_EVENTS, PER_SECOND = 100, 10
UNKNOWN_MAPPING = "nobody"


def accept(account: Held, attributes: list[dict[str, Any]]) -> Answer:
    for event in attributes:
        account.members.setdefault(str(event["mt_id"]), set()).add(event["mt_uuid"])
        account.notes.append(event)
    return json_answer({"code": 200, "message": "Ok", "more": [1]})


def check(event: dict[str, Any]) -> None:
    """Refused (400) unless it is an event as the document wants it."""
    for name in ("mt_id", "mt_adid"):
        if not re.fullmatch(r"\d+", str(event.get(name, ""))):
            raise Refused(400, f"Invalid request body: {name}")
    if not GUID.fullmatch(str(event.get("mt_uuid", ""))):
        raise Refused(400, "Invalid request body: mt_uuid")
    if event.get("source") != "s2s":
        raise Refused(400, "Invalid request body: source")
    for name in ("mt_excl", "mt_exem"):
        if event.get(name) and not HASH.fullmatch(str(event[name])):
            raise Refused(400, f"Invalid request body: {name} is not hashed")
    if any("@" in str(value) for value in event.values()):
        raise Refused(400, "Invalid request body: personal data")


class SingleEvents(ThirdParty[Held]):
    name = "events"

    def new_account(self) -> Held:
        return Held()

    def serves(self, path: str) -> bool:
        return path.startswith("/mediamath-event/")

    def identify(self, request: Request) -> str:
        return account_in_path(request, r"/mediamath-event/([a-z]+)/event/img")

    def prepare(self, account: Held, request: Request) -> Action:
        if request.method != "POST":
            raise method_refused("POST")
        pairs = [pair.partition("=") for pair in request.query.split("&")]
        given = parameters("&".join(f"{name}={value}" for name, _, value in pairs if value))
        check(given)
        return Action(lambda userid: userid == given["mt_uuid"], lambda: accept(account, [given]))


class BatchEvents(ThirdParty[Held]):
    name = "batches"

    def new_account(self) -> Held:
        return Held()

    def serves(self, path: str) -> bool:
        return path.startswith("/mediamath-batch/")

    def identify(self, request: Request) -> str:
        account = account_in_path(request, r"/mediamath-batch/([a-z]+)/v1/events?")
        if request.headers.get("x-api-key") != f"{account}-secret":
            raise Refused(403, "Forbidden")
        return account

    def prepare(self, account: Held, request: Request) -> Action:
        if request.headers.get("content-type") != "application/json":
            raise Refused(415, "Unsupported media type")
        now = time.monotonic()
        account.calls[:] = [at for at in account.calls if at > now - 1]
        if len(account.calls) >= PER_SECOND:
            raise Refused(429, "Too many requests")
        account.calls.append(now)
        attributes = [one for event in _events(request) for one in _attributes(event)]
        return Action(
            lambda userid: any(one["mt_uuid"] == userid for one in attributes), lambda: accept(account, attributes)
        )


def _events(request: Request) -> list[dict[str, Any]]:
    try:
        body = msgspec.json.decode(request.body, type=dict[str, Any])
    except msgspec.DecodeError as wrong:
        raise Refused(400, "Invalid request body") from wrong
    if request.path.endswith("/event"):
        return [body]
    events = body.get("events")
    if body.keys() != {"events"} or not isinstance(events, list) or not 1 <= len(events) <= MOST_EVENTS:
        raise Refused(400, "Invalid request body: events")
    return events


def _attributes(event: dict[str, Any]) -> list[dict[str, Any]]:
    right = (event.get("version"), event.get("type")) == (4.0, "event") and isinstance(event.get("advertiser_id"), int)
    if not right or not isinstance(event.get("attributes"), list) or not isinstance(event.get("mapping_id"), str):
        raise Refused(400, "Invalid request body")
    if event["mapping_id"] == UNKNOWN_MAPPING:
        raise Refused(400, "Mapping not found")
    for one in event["attributes"]:
        check(one)
    found: list[dict[str, Any]] = event["attributes"]
    return found
