"""MediaMath's Event API, in batches: `POST /mediamath/v1/event` (one) and `/v1/events` (`{"events": […]}`, up to 100).

The header `x-api-key` is `<account>-secret`. A mapping id is `<advertiser>-<pixel>`: it belongs to one advertiser
and one pixel; every such id is known. Limits of a key: 10 requests a second, 5 at once, 50,000 a day.
"""

import re
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import msgspec

from sandbox.authentication import is_secret_of
from sandbox.event_rules import EventAccount
from sandbox.exchange import RejectedError, SandboxRequest, SandboxResponse, json_response, method_not_allowed
from sandbox.parties import Action, ThirdParty
from sandbox.rates import Quota, Window

PATHS = {"/mediamath/v1/event", "/mediamath/v1/events"}
REQUESTS_A_SECOND = 10
AT_ONCE = 5
REQUESTS_A_DAY = 50_000
MOST_EVENTS = 100

Attributes = Annotated[list[dict[str, str | int | float | None]], msgspec.Meta(min_length=1)]


class EventRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: float
    type: Literal["event"]
    mapping_id: str
    advertiser_id: int
    attributes: Attributes


class EventBatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    events: Annotated[list[EventRecord], msgspec.Meta(min_length=1, max_length=MOST_EVENTS)]


@dataclass(slots=True)
class KeyAccount(EventAccount):
    rate: Window = field(default_factory=lambda: Window(REQUESTS_A_SECOND))
    day: Quota = field(default_factory=lambda: Quota(REQUESTS_A_DAY, 86_400))


class EventBatches(ThirdParty[KeyAccount]):
    name = "mediamath-batch"

    def new_account(self) -> KeyAccount:
        return KeyAccount()

    def serves(self, path: str) -> bool:
        return path in PATHS

    def identify(self, request: SandboxRequest) -> str:
        key = request.headers.get("x-api-key", "")
        account = key.removesuffix("-secret")
        if not is_secret_of(account, key):
            raise _rejected(403, "Forbidden", "x-api-key is missing or invalid")
        return account

    def prepare(self, account: KeyAccount, request: SandboxRequest) -> Action:
        if account.tally.in_progress > AT_ONCE or not account.rate.admits() or not account.day.admits():
            raise _rejected(429, "Too many requests", "Rate limit exceeded")
        if request.method != "POST":
            raise method_not_allowed("POST")
        if request.media_type != "application/json":
            raise _rejected(415, "Unsupported media type", "Content-Type is not application/json")
        events = _events(account, _records(request))

        def apply() -> SandboxResponse:
            for event in events:
                account.apply(event)
            return json_response({"code": 200, "message": "Ok", "description": "Event(s) received"})

        return Action(lambda userid: any(event.get("mt_uuid") == userid for event in events), apply)


def _rejected(status: int, message: str, description: str) -> RejectedError:
    document = {"code": status, "message": message, "description": description}
    return RejectedError(status, f"{message}: {description}", document=document)


def _records(request: SandboxRequest) -> list[EventRecord]:
    try:
        if request.path.endswith("s"):
            return msgspec.json.decode(request.body, type=EventBatch).events
        return [msgspec.json.decode(request.body, type=EventRecord)]
    except msgspec.DecodeError as error:
        raise _rejected(400, "Invalid request body", str(error)) from error


def _events(account: KeyAccount, records: list[EventRecord]) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []
    for record in records:
        pixel = _mapped(record)
        for attributes in record.attributes:
            _check(account, attributes, pixel)
            events.append({"mt_adid": record.advertiser_id, **attributes})
    return events


def _mapped(record: EventRecord) -> str:
    """Return the pixel of the record's mapping."""
    if record.version != 4.0:
        raise _rejected(400, "Invalid request body", "version is not 4.0")
    found = re.fullmatch(r"(\d+)-(\d+)", record.mapping_id, re.ASCII)
    if found is None or found[1] != str(record.advertiser_id):
        raise _rejected(400, "Mapping not found", f"no mapping {record.mapping_id!r} of this advertiser")
    return found[2]


def _check(account: KeyAccount, attributes: dict[str, Any], pixel: str) -> None:
    try:
        account.check(attributes)
    except RejectedError as rejection:
        raise _rejected(400, "Invalid request body", rejection.reason) from rejection
    if str(attributes["mt_id"]) != pixel:
        raise _rejected(400, "Invalid request body", f"mt_id is not the mapping's pixel {pixel}")
