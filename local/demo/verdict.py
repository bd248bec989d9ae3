"""What the hub and its platforms should hold, straight from the purchase log, and whether they hold exactly that."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from local.demo.audiences import AUDIENCES, PurchaseHistory, memberships
from local.demo.platforms import PLATFORMS, Visitor
from local.demo.purchases import Purchase

SegmentMembers = dict[tuple[str, str], set[str]]
"""(platform account, audience name) → the platform's ids of its members."""


@dataclass(frozen=True, slots=True)
class Expected:
    """`sizes` counts an audience's members, whether or not a platform knows them."""

    sizes: dict[str, int]
    held: SegmentMembers


def no_members() -> SegmentMembers:
    """Returns an empty set for every audience on every platform."""
    return {(platform.account, audience.name): set() for platform in PLATFORMS for audience in AUDIENCES}


def histories_of(purchases: Iterable[Purchase]) -> dict[str, PurchaseHistory]:
    histories: dict[str, PurchaseHistory] = defaultdict(PurchaseHistory)
    for purchase in purchases:
        histories[purchase.customer].bought(purchase.at, purchase.cents)
    return histories


def expected_at(histories: Mapping[str, PurchaseHistory], visitors: Mapping[str, Visitor], now: float) -> Expected:
    """`now` in unix seconds. A visit precedes its purchase, so the log alone tells who was seen last when."""
    sizes = {audience.name: 0 for audience in AUDIENCES}
    held = no_members()
    for customer, history in histories.items():
        known = visitors[customer].platform_ids if customer in visitors else {}
        for name in memberships(history, now):
            sizes[name] += 1
            for account, platform_id in known.items():
                held[account, name].add(platform_id)
    return Expected(sizes, held)


@dataclass(frozen=True, slots=True)
class SegmentVerdict:
    """One audience on one platform: `members` held, `missing` ids that it should hold, `extra` that it should not."""

    platform: str
    account: str
    audience: str
    expected: int
    members: int
    missing: frozenset[str]
    extra: frozenset[str]

    @property
    def exact(self) -> bool:
        return not self.missing and not self.extra


@dataclass(frozen=True, slots=True)
class Verdict:
    """`wrong_sizes`: audience → (members in the hub, expected), where they differ."""

    lines: tuple[SegmentVerdict, ...]
    wrong_sizes: dict[str, tuple[int, int]]

    @property
    def exact(self) -> bool:
        return not self.wrong_sizes and all(line.exact for line in self.lines)

    def faults(self) -> list[str]:
        """What is wrong, in words."""
        held = [
            f"{line.platform} lacks {len(line.missing)} and has {len(line.extra)} too many in “{line.audience}”"
            for line in self.lines
            if not line.exact
        ]
        sizes = [
            f"“{name}” has {found} members in the hub instead of {wanted}"
            for name, (found, wanted) in self.wrong_sizes.items()
        ]
        return held + sizes


def verdict(expected: Expected, held: SegmentMembers, sizes: dict[str, int]) -> Verdict:
    lines = tuple(
        _line(platform.name, platform.account, audience.name, expected.held, held)
        for platform in PLATFORMS
        for audience in AUDIENCES
    )
    wrong = {
        name: (sizes.get(name, 0), wanted) for name, wanted in expected.sizes.items() if sizes.get(name, 0) != wanted
    }
    return Verdict(lines, wrong)


def _line(name: str, account: str, audience: str, expected: SegmentMembers, held: SegmentMembers) -> SegmentVerdict:
    wanted, found = expected[account, audience], held.get((account, audience), set())
    missing, extra = frozenset(wanted - found), frozenset(found - wanted)
    return SegmentVerdict(name, account, audience, len(wanted), len(found), missing, extra)
