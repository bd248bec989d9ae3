"""The customers whose browsers visit the website, so that platforms can know them."""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from local.demo.platforms import PLATFORMS
from local.demo.purchases import DAY_SECONDS, Purchase

VISITING = 0.6  # of all customers
SYNCED = 0.8  # of those who visit, with each platform
LONGEST_LEAD_DAYS = 20


@dataclass(frozen=True, slots=True)
class Visitor:
    """A browser: its cookie, the purchase (1, 2, …) that it looks forward to and how long, in seconds, before,
    and its ids by platform account.
    """

    cookie: UUID
    purchase: int
    lead: int
    platform_ids: dict[str, str]


def visitors_among(purchases: Iterable[Purchase]) -> dict[str, Visitor]:
    """By customer; the same log gives the same visitors."""
    orders: dict[str, int] = {}
    for purchase in purchases:
        orders[purchase.customer] = orders.get(purchase.customer, 0) + 1
    found = ((customer, _visitor(customer, count)) for customer, count in orders.items())
    return {customer: visitor for customer, visitor in found if visitor is not None}


def _visitor(customer: str, orders: int) -> Visitor | None:
    dice = random.Random(f"visitor {customer}")
    if dice.random() >= VISITING:
        return None
    cookie = UUID(int=dice.getrandbits(128), version=4)
    purchase, lead = dice.randint(1, orders), dice.randrange(LONGEST_LEAD_DAYS * DAY_SECONDS)
    ids = {each.account: f"{each.prefix}-{dice.getrandbits(64):016x}" for each in PLATFORMS}
    return Visitor(cookie, purchase, lead, {account: id_ for account, id_ in ids.items() if dice.random() < SYNCED})
