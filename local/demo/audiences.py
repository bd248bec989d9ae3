"""The three audiences, each written twice: as the rule that the hub gets, and in plain Python."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from local.demo.purchases import DAY_SECONDS

RECENT_DAYS = 60
LAPSED_DAYS = 180
BIG_DOLLARS = 250


@dataclass(slots=True)
class PurchaseHistory:
    """What a customer has done so far; moments in unix seconds."""

    orders: int = 0
    cents: int = 0
    last_purchase: int = 0
    last_seen: int = 0

    def saw(self, at: int) -> None:
        self.last_seen = max(self.last_seen, at)

    def bought(self, at: int, cents: int) -> None:
        self.saw(at)
        self.orders += 1
        self.cents += cents
        self.last_purchase = max(self.last_purchase, at)


@dataclass(frozen=True, slots=True)
class DemoAudience:
    """`rule` is given the pixel's id; `holds` a history and the moment, in unix seconds."""

    name: str
    meaning: str
    rule: Callable[[int], dict[str, Any]]
    holds: Callable[[PurchaseHistory, float], bool]


def _all(*rules: tuple[str, str, Any]) -> dict[str, Any]:
    return {
        "combinator": "and",
        "rules": [{"field": field, "operator": operator, "value": value} for field, operator, value in rules],
    }


AUDIENCES = (
    DemoAudience(
        "Recent buyers",
        f"bought, and seen in the last {RECENT_DAYS} days",
        lambda pixel: _all(("attribute.Orders", ">=", 1), (f"pixel.{pixel}.last", "withinLast", f"P{RECENT_DAYS}D")),
        lambda history, now: history.orders >= 1 and now - history.last_seen < RECENT_DAYS * DAY_SECONDS,
    ),
    DemoAudience(
        "Big spenders",
        f"spent ${BIG_DOLLARS} or more in all",
        lambda _pixel: _all(("attribute.TotalSpent", ">=", BIG_DOLLARS)),
        lambda history, _now: history.cents >= BIG_DOLLARS * 100,
    ),
    DemoAudience(
        "Lapsed",
        f"bought, but not in the last {LAPSED_DAYS} days",
        lambda _pixel: _all(
            ("attribute.Orders", ">=", 1), ("attribute.LastPurchase", "notWithinLast", f"P{LAPSED_DAYS}D")
        ),
        lambda history, now: history.orders >= 1 and now - history.last_purchase >= LAPSED_DAYS * DAY_SECONDS,
    ),
)


def memberships(history: PurchaseHistory, now: float) -> frozenset[str]:
    """The names of the audiences that a customer belongs to."""
    return frozenset(audience.name for audience in AUDIENCES if audience.holds(history, now))
