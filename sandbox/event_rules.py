"""The rules for the parameters of an event (002_f4257f686831c057.txt), and what an account of the Event API holds.

The document names ten of its two hundred attributes. Every other name counts as one of the forty custom attributes
that a pixel may have.
"""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from sandbox.exchange import RejectedError
from sandbox.ledger import MemberRow, PartyAccount

GUID = r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
SHA256 = r"[0-9A-Fa-f]{64}"
MOST_CUSTOM = 40
COMMON = {"mt_id", "mt_aid", "mt_adid", "mt_uuid", "mt_ts", "mt_ip", "source"}
ATTRIBUTES = {
    "v1",
    "v2",
    "order_id",
    "product_id",
    "product_name",
    "product_price",
    "product_catgory",
    "client_status",
    "mt_excl",
    "mt_exem",
    "page_name",
}
FORMS = {
    "mt_id": (r"\d{1,18}", "an integer"),
    "mt_aid": (r"\d{1,18}", "an integer"),
    "mt_adid": (r"\d{1,18}", "an integer"),
    "mt_ts": (r"\d{10}", "ten digits of unix seconds"),
    "mt_excl": (rf"|{SHA256}", "salted and hashed with SHA-256"),
    "mt_exem": (rf"|{SHA256}", "salted and hashed with SHA-256"),
    "v1": (r"|-?\d+(?:\.\d+)?", "numeric, without a currency"),
}
PRIVATE = [ipaddress.ip_network(net) for net in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8")]

Event = Mapping[str, Any]


@dataclass(slots=True)
class EventPixel:
    """A MathTag. `last` holds the latest attributes of each user."""

    events: int = 0
    custom: set[str] = field(default_factory=set)
    last: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass(slots=True)
class EventAccount(PartyAccount):
    pixels: dict[int, EventPixel] = field(default_factory=dict)

    def check(self, event: Event) -> None:
        """Raise `RejectedError` (400), which names the attribute, if the event breaks a rule."""
        for name, (form, meaning) in FORMS.items():
            if name in event and not re.fullmatch(form, _text(event[name]), re.ASCII):
                raise RejectedError(400, f"{name} is not {meaning}")
        if "mt_id" not in event:
            raise RejectedError(400, "mt_id is missing")
        if not isinstance(event.get("mt_uuid", ""), str):
            raise RejectedError(400, "mt_uuid is not a text")
        _check_address(event)
        _check_clear(event)
        known = self.pixels.get(int(event["mt_id"]), EventPixel()).custom
        if len(known | _custom(event)) > MOST_CUSTOM:
            raise RejectedError(400, f"more than {MOST_CUSTOM} custom attributes of a pixel")

    def apply(self, event: Event) -> None:
        number = int(event["mt_id"])
        pixel = self.pixels.setdefault(number, EventPixel())
        pixel.events += 1
        pixel.custom |= _custom(event)
        if event.get("mt_excl") and event.get("mt_exem"):
            self.violations.append(f"pixel {number}: only one of mt_excl and mt_exem should be passed")
        userid = event.get("mt_uuid")
        if userid:
            pixel.last[userid] = dict(event)
            self.arrivals.record("add", [MemberRow(number, userid)])

    def holdings(self, *, members: bool) -> dict[str, Any]:
        pixels: dict[str, Any] = {}
        for number, pixel in self.pixels.items():
            pixels[str(number)] = {"events": pixel.events, "size": len(pixel.last)}
            if members:
                pixels[str(number)] |= {"members": sorted(pixel.last), "last": pixel.last}
        return {"pixels": pixels}

    def sizes(self) -> list[tuple[str, int]]:
        return [(f"pixel {number}", len(pixel.last)) for number, pixel in self.pixels.items()]


def check_guid(event: Event) -> None:
    """Raise `RejectedError` if the user id is no GUID. An event may also name an IP address only."""
    if "mt_uuid" in event and not re.fullmatch(GUID, _text(event["mt_uuid"])):
        raise RejectedError(400, "mt_uuid is not a GUID (8-4-4-4-12)")


def _check_address(event: Event) -> None:
    if "mt_ip" not in event:
        if not _text(event.get("mt_uuid")):
            raise RejectedError(400, "mt_uuid is missing, and there is no mt_ip")
        return
    try:
        address = ipaddress.IPv4Address(_text(event["mt_ip"]))
    except ValueError as error:
        raise RejectedError(400, "mt_ip is not an IPv4 address") from error
    if any(address in net for net in PRIVATE):
        raise RejectedError(400, "mt_ip is not public")


def _check_clear(event: Event) -> None:
    for name, value in event.items():
        if _holds_mail(_text(value)):
            raise RejectedError(400, f"{name} has a mail address in clear")


def _custom(event: Event) -> set[str]:
    return event.keys() - COMMON - ATTRIBUTES


def _text(value: object) -> str:
    """Return the value as text. A boolean, a list or an object is no attribute; its text is empty."""
    return str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


def _holds_mail(text: str) -> bool:
    """Whether something like a mail address stands in a text, found in time that is proportional to it."""
    words = text.split() if "@" in text else []
    return any(before and "." in after[1:-1] for word in words for before, after in pairwise(word.split("@")))
