"""What a platform received twice, held against the promise: at most one batch a lane and crash."""

from bisect import bisect
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from activation.delivery.lanes import FILES, lane_of
from core.buckets import of_value

Arrival = tuple[int, float, str, int, str]  # as `SandboxProcess.received` returns it


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Of one account: how many operations changed nothing, and by how many the promise was broken at the worst."""

    operations: int
    duplicates: int
    excess: int


def duplicates(arrivals: Iterable[Arrival], crashes: Sequence[float], batch: int, *, files: bool) -> Duplicates:
    """`crashes`: their unix times, in order. `batch`: the most that is sent before an outcome is recorded."""
    every = list(arrivals)
    by_lane: Counter[int] = Counter()
    excess = 0
    for at, userid in _without_effect(every):
        lane = FILES if files else lane_of(of_value(userid))
        by_lane[lane] += 1
        excess = max(excess, by_lane[lane] - batch * bisect(crashes, at))
    return Duplicates(len(every), by_lane.total(), excess)


def _without_effect(arrivals: Iterable[Arrival]) -> Iterator[tuple[float, str]]:
    held: set[tuple[int, str]] = set()
    for _, at, operation, segment, userid in arrivals:
        if (operation == "add") == ((segment, userid) in held):
            yield at, userid
        (held.add if operation == "add" else held.discard)((segment, userid))
