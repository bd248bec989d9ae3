"""What a third party holds for one account, and the order of its arrivals."""

import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Literal

import msgspec

Operation = Literal["add", "remove"]
Arrival = tuple[int, float, Operation, int, str]
"""(sequence from 1 without gaps, unix time of being applied, operation, segment id, third party's user id)"""

KEPT_ARRIVALS = 1_000_000
KEPT_VIOLATIONS = 50


class MemberRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """One member of a micro-batch: `{"segment":12345,"userid":"abcdef123"}` (001_6c0121e2456e8832.txt)."""

    segment: int
    userid: str


@dataclass(slots=True, frozen=True)
class _Delivery:
    first: int
    at: float
    operation: Operation
    rows: Sequence[MemberRow]


class Arrivals:
    """The last million changes in order of arrival. They are kept per request, so recording is cheap."""

    def __init__(self, capacity: int = KEPT_ARRIVALS) -> None:
        self._capacity = capacity
        self._deliveries: deque[_Delivery] = deque()
        self._kept = 0
        self._next = 1

    def record(self, operation: Operation, rows: Sequence[MemberRow]) -> None:
        self._deliveries.append(_Delivery(self._next, time.time(), operation, rows))
        self._next += len(rows)
        self._kept += len(rows)
        while self._kept > self._capacity:
            self._kept -= len(self._deliveries.popleft().rows)

    def since(self, sequence: int, limit: int | None = None) -> list[Arrival]:
        """Return the arrivals after `sequence`, oldest first. Those that were discarded are missing at the start."""
        return list(islice(self._after(sequence), limit))

    def _after(self, sequence: int) -> Iterator[Arrival]:
        for delivery in self._deliveries:
            if delivery.first + len(delivery.rows) <= sequence + 1:
                continue
            for number, row in enumerate(delivery.rows, delivery.first):
                if number > sequence:
                    yield (number, delivery.at, delivery.operation, row.segment, row.userid)


@dataclass(slots=True)
class Tally:
    """Counters of requests: all, those that broke a rule, those that met a fault, and those without a response yet."""

    requests: int = 0
    rejected: int = 0
    faulted: int = 0
    in_progress: int = 0


@dataclass(slots=True)
class PartyAccount(ABC):
    """What one account of one third party holds. `violations` are the last broken rules, in words."""

    tally: Tally = field(default_factory=Tally)
    violations: deque[str] = field(default_factory=lambda: deque(maxlen=KEPT_VIOLATIONS))
    arrivals: Arrivals = field(default_factory=Arrivals)

    @abstractmethod
    def holdings(self, *, members: bool) -> dict[str, Any]:
        """Return the account's part of `/state` without counters; without `members` only sizes."""

    @abstractmethod
    def sizes(self) -> list[tuple[str, int]]:
        """Return (label, number of ids) for everything that holds ids, for the page."""

    def state(self, *, members: bool) -> dict[str, Any]:
        tally = self.tally
        counted = {"requests": tally.requests, "rejected": tally.rejected, "faulted": tally.faulted}
        return self.holdings(members=members) | counted | {"violations": list(self.violations)}
