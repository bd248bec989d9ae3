"""The play: every request in the order of its purchase, as the bytes that go over the wire.

The shop's own server sends each purchase. A customer who visits the website is there with a browser, some days
before one of the purchases: the page is seen with cookie and customer id, then the platforms sync their ids.
Where it is not the first purchase, the hub knows customer and browser apart by then, and finds them to be one.
"""

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
        request = _constant(purchase_request(purchase, history, configuration))
        steps.append(Step(StepKind.PURCHASE, purchase.customer, request, purchase.at, purchase.cents))
    return sorted(steps, key=attrgetter("at"))


def _visit(customer: str, at: int, visitor: Visitor, configuration: DemoConfiguration) -> Iterator[Step]:
    yield Step(StepKind.VISIT, customer, _constant(_page_view(customer, at, visitor, configuration)), at)
    for party in configuration.parties:
        platform_id = visitor.platform_ids.get(party.platform.account)
        if platform_id is not None:
            yield Step(StepKind.SYNC, customer, _sync(party, platform_id, visitor), at, party=party)


def purchase_request(purchase: Purchase, history: PurchaseHistory, configuration: DemoConfiguration) -> bytes:
    """Server to server (000_04183e87f3949684.txt): raw JSON, numbers as numbers, running totals."""
    data = {
        "UserId": purchase.customer,
        "Amount": purchase.cents / 100,
        "Discs": purchase.discs,
        "Orders": history.orders,
        "TotalSpent": history.cents / 100,
        "LastPurchase": history.last_purchase,
    }
    target = f"/dp?m={configuration.customer}&id={configuration.pixel}&_nr=1&at={purchase.at}"
    return request_bytes("POST", target, body=msgspec.json.encode(data))


def _page_view(customer: str, at: int, visitor: Visitor, configuration: DemoConfiguration) -> bytes:
    data = quote(msgspec.json.encode({"UserId": customer}).decode())
    target = f"/dp?m={configuration.customer}&id={configuration.pixel}&t=gif&_check=1&at={at}&data={data}"
    return request_bytes("GET", target, cookie=f"dmpuid={visitor.cookie}")


def _sync(party: SyncParty, platform_id: str, visitor: Visitor) -> Callable[[], bytes]:
    query = _signed if party.platform.sync_auth == "signed" else _with_token
    return lambda: request_bytes("GET", f"/uid?{query(party, platform_id)}", cookie=f"dmpuid={visitor.cookie}")


def _with_token(party: SyncParty, platform_id: str) -> str:
    return f"userid={platform_id}&pl={party.pl}&plsec={quote(party.secret, safe='')}"


def _signed(party: SyncParty, platform_id: str) -> str:
    """As a platform signs: HMAC-SHA1 over method, path and sorted query."""
    query = f"pl={party.pl}&ts={int(time.time())}&userid={platform_id}"
    signature = hmac.digest(party.secret.encode(), f"v1\nGET\n/uid\n{query}".encode(), "sha1").hex()
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
