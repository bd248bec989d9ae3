"""What the hub and its platforms should hold at a moment, straight from the purchase log."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from local.demo.audiences import AUDIENCES, History, memberships
from local.demo.platforms import PLATFORMS
from local.demo.purchases import Purchase
from local.demo.visitors import Visitor

Held = dict[tuple[str, str], set[str]]
"""(platform account, audience name) → the platform's ids of its members."""


@dataclass(frozen=True, slots=True)
class Expected:
    """`sizes` counts an audience's members, whether or not a platform knows them."""

    sizes: dict[str, int]
    held: Held


def histories_of(purchases: Iterable[Purchase]) -> dict[str, History]:
    histories: dict[str, History] = defaultdict(History)
    for purchase in purchases:
        histories[purchase.customer].bought(purchase.at, purchase.cents)
    return histories


def expected_at(histories: Mapping[str, History], visitors: Mapping[str, Visitor], now: float) -> Expected:
    """`now` in unix seconds. A visit precedes its purchase, so the log alone tells who was seen last when."""
    sizes = {audience.name: 0 for audience in AUDIENCES}
    held: Held = {(platform.account, audience.name): set() for platform in PLATFORMS for audience in AUDIENCES}
    for customer, history in histories.items():
        known = visitors[customer].platform_ids if customer in visitors else {}
        for name in memberships(history, now):
            sizes[name] += 1
            for account, platform_id in known.items():
                held[account, name].add(platform_id)
    return Expected(sizes, held)
