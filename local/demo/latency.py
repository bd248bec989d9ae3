"""Which changes a platform should receive because of one accepted request, and how long each took.

Only changes that a request of the play caused are timed: from the moment at which its sender had the answer
(so it was committed) to the moment at which the platform applied the change.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from local.demo.audiences import PurchaseHistory, memberships
from local.demo.platforms import Visitor
from local.demo.script import Step, StepKind


class SegmentChange(NamedTuple):
    """`operation` is "add" or "remove"."""

    account: str
    audience: str
    operation: str
    platform_id: str


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Seconds; of `count` changes."""

    count: int
    p50: float
    p99: float


class LatencyTracker:
    """Follows the play: `accepted` after each answer, `arrived` for each change a platform applied."""

    def __init__(self, visitors: Mapping[str, Visitor]) -> None:
        self._visitors = visitors
        self._histories: dict[str, PurchaseHistory] = defaultdict(PurchaseHistory)
        self._synced: dict[str, list[str]] = defaultdict(list)
        self._caused: dict[SegmentChange, float] = {}
        self._took: dict[str, list[float]] = defaultdict(list)

    def accepted(self, step: Step, now: float) -> None:
        """`now` in unix seconds. The steps of one customer come in their order."""
        history = self._histories[step.customer]
        before = memberships(history, now)
        if step.kind is StepKind.SYNC and step.party is not None:
            account = step.party.platform.account
            self._synced[step.customer].append(account)
            self._cause(step.customer, [account], before, "add", now)
            return
        if step.kind is StepKind.PURCHASE:
            history.bought(step.at, step.cents)
        else:
            history.saw(step.at)
        after, accounts = memberships(history, now), self._synced[step.customer]
        self._cause(step.customer, accounts, after - before, "add", now)
        self._cause(step.customer, accounts, before - after, "remove", now)

    def arrived(self, change: SegmentChange, at: float) -> float | None:
        """The change's latency in seconds; None where no request of the play is known to have caused it."""
        caused_at = self._caused.pop(change, None)
        if caused_at is None:
            return None
        self._took[change.account].append(at - caused_at)
        return at - caused_at

    def percentiles(self, account: str) -> Percentiles | None:
        took = sorted(self._took[account])
        if not took:
            return None
        return Percentiles(len(took), took[len(took) // 2], took[min(len(took) - 1, len(took) * 99 // 100)])

    def _cause(self, customer: str, accounts: list[str], audiences: frozenset[str], operation: str, now: float) -> None:
        for account in accounts:
            platform_id = self._visitors[customer].platform_ids[account]
            for audience in audiences:
                self._caused[SegmentChange(account, audience, operation, platform_id)] = now
