"""What a platform received of events that each made another user a member, by the platform's own log."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.open_loop import Stream
from benchmarks.users import platform_user_id

Arrival = tuple[int, float, str, int, str]
"""As `SandboxProcess.received` returns it."""


@dataclass(frozen=True, slots=True)
class Receipts:
    """`delays`: (unix time of the 200, seconds until the first receipt), in order. `lost`: accepted events received
    never; `twice`: received more than once, or wrongly.
    """

    delays: list[tuple[float, float]]
    lost: int
    twice: int

    @property
    def latencies(self) -> list[float]:
        """Accept→received in ms, sorted."""
        return sorted(1000 * delay for _, delay in self.delays)


def receipts(stream: Stream, accepted: "array[float] | Sequence[float]", rows: Sequence[Arrival]) -> Receipts:
    """`accepted`: the unix time of each event's 200, or 0. `rows`: all that the platform received since the start."""
    numbers = {platform_user_id(stream.seed, number): number for number in range(len(accepted))}
    first: dict[int, float] = {}
    twice = 0
    for _, at, operation, _, user in rows:
        number = numbers[user]
        twice += operation != "add" or number in first
        first.setdefault(number, at)
    delays = sorted((accepted[number], at - accepted[number]) for number, at in first.items() if accepted[number])
    lost = sum(1 for number, at in enumerate(accepted) if at and number not in first)
    return Receipts(delays, lost, twice)
