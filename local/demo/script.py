"""The play: every request in the order of its purchase, as the bytes that go over the wire.

The shop's own server sends each purchase. A customer who visits the website is there with a browser, some days
before one of the purchases: the page is seen with cookie and customer id, then the platforms sync their ids.
Where it is not the first purchase, the hub knows customer and browser apart by then, and finds them to be one.
"""

import hashlib
import hmac
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from operator import attrgetter
from urllib.parse import quote

import msgspec

from local.demo.audiences import PurchaseHistory
from local.demo.configuration import DemoConfiguration, SyncParty
from local.demo.platforms import Visitor
from local.demo.purchases import Purchase


class StepKind(StrEnum):
    PURCHASE = "purchases"
    VISIT = "page views"
    SYNC = "user syncs"


@dataclass(frozen=True, slots=True)
class Step:
    """One request, about the moment `at` (unix seconds); `cents` is what a purchase cost.

    `request` makes its bytes when it is sent: a signed sync bears its own time.
    """

    kind: StepKind
    customer: str
    request: Callable[[], bytes]
    at: int
    cents: int = 0
    party: SyncParty | None = None


def steps_of(
    purchases: Sequence[Purchase], visitors: Mapping[str, Visitor], configuration: DemoConfiguration
) -> list[Step]:
    steps: list[Step] = []
    histories: dict[str, PurchaseHistory] = defaultdict(PurchaseHistory)
    for purchase in purchases:
        history = histories[purchase.customer]
        history.bought(purchase.at, purchase.cents)
        visitor = visitors.get(purchase.customer)
        if visitor is not None and visitor.purchase == history.orders:
            steps += _visit(purchase.customer, purchase.at - visitor.lead, visitor, configuration)
        request = purchase_request(purchase, history, configuration)
        steps.append(Step(StepKind.PURCHASE, purchase.customer, request, purchase.at, purchase.cents))
    return sorted(steps, key=attrgetter("at"))


def _visit(customer: str, at: int, visitor: Visitor, configuration: DemoConfiguration) -> Iterator[Step]:
    yield Step(StepKind.VISIT, customer, _page_view(customer, at, visitor, configuration), at)
    for party in configuration.parties:
        platform_id = visitor.platform_ids.get(party.platform.account)
        if platform_id is not None:
            yield Step(StepKind.SYNC, customer, _sync(party, platform_id, visitor), at, party=party)


def purchase_request(
    purchase: Purchase, history: PurchaseHistory, configuration: DemoConfiguration
) -> Callable[[], bytes]:
    """Server to server (000_04183e87f3949684.txt): raw JSON, numbers as numbers, running totals."""
    data = {
        "UserId": purchase.customer,
        "Amount": purchase.cents / 100,
        "Discs": purchase.discs,
        "Orders": history.orders,
        "TotalSpent": history.cents / 100,
        "LastPurchase": history.last_purchase,
    }
    query = f"m={configuration.customer}&id={configuration.pixel}&_nr=1&at={purchase.at}"
    return _collected("POST", query, configuration.signing_secret, body=msgspec.json.encode(data))


def _page_view(customer: str, at: int, visitor: Visitor, configuration: DemoConfiguration) -> Callable[[], bytes]:
    data = quote(msgspec.json.encode({"UserId": customer}).decode(), safe="")
    query = f"m={configuration.customer}&id={configuration.pixel}&t=gif&_check=1&at={at}&data={data}"
    return _collected("GET", query, configuration.signing_secret, cookie=f"dmpuid={visitor.cookie}")


def _collected(
    method: str, query: str, secret: str | None, *, cookie: str = "", body: bytes = b""
) -> Callable[[], bytes]:
    """A request to `/dp`. With a secret it is signed, body included, in the moment in which it is sent."""
    if secret is None:
        return _constant(request_bytes(method, f"/dp?{query}", cookie=cookie, body=body))
    named = f"{query}&body_sha256={hashlib.sha256(body).hexdigest()}" if body else query
    return lambda: request_bytes(method, f"/dp?{_signed(method, '/dp', named, secret)}", cookie=cookie, body=body)


def _sync(party: SyncParty, platform_id: str, visitor: Visitor) -> Callable[[], bytes]:
    named, cookie = f"userid={platform_id}&pl={party.pl}", f"dmpuid={visitor.cookie}"
    if party.signs:
        return lambda: request_bytes("GET", f"/uid?{_signed('GET', '/uid', named, party.secret)}", cookie=cookie)
    return _constant(request_bytes("GET", f"/uid?{named}&plsec={quote(party.secret, safe='')}", cookie=cookie))


def _signed(method: str, path: str, query: str, secret: str) -> str:
    """As the documents say: HMAC-SHA1 over method, path and sorted query. `query` is encoded by RFC 3986 already."""
    query = "&".join(sorted([*query.split("&"), f"ts={int(time.time())}"]))
    signature = hmac.digest(secret.encode(), f"v1\n{method}\n{path}\n{query}".encode(), "sha1").hex()
    return f"{query}&sig={signature}"


def request_bytes(method: str, target: str, *, cookie: str = "", body: bytes = b"") -> bytes:
    """A whole HTTP/1.1 request on a connection that is kept."""
    head = f"{method} {target} HTTP/1.1\r\nHost: demo\r\n"
    if cookie:
        head += f"Cookie: {cookie}\r\n"
    if method == "POST":
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return f"{head}\r\n".encode("ascii") + body


def _constant(request: bytes) -> Callable[[], bytes]:
    return lambda: request
