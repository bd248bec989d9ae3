"""The rows of one claim that are still to be sent, in parts: each part goes into one request."""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from activation.stores.claims import ClaimedRow

Part = list[ClaimedRow]


@dataclass(slots=True)
class Parts:
    """Parts in the order in which they are sent. Every row stands in one of them at most."""

    _parts: deque[Part] = field(default_factory=deque)

    def __bool__(self) -> bool:
        return bool(self._parts)

    def next(self) -> Part:
        return self._parts.popleft()

    def first(self, parts: Sequence[Part]) -> None:
        """Send these before all others."""
        self._parts.extendleft(reversed(parts))

    def last(self, parts: Iterable[Part]) -> None:
        """Send these after all others."""
        self._parts.extend(parts)

    def rows(self) -> list[ClaimedRow]:
        return [row for part in self._parts for row in part]

    def take(self, activation: int) -> list[ClaimedRow]:
        """Take out all rows of the activation, and return them."""
        return self._take_out([row for row in self.rows() if row.activation == activation])

    def sample(self, activation: int, number: int) -> list[Part]:
        """Take out a few rows of the activation, spread over all. Return each as a part."""
        rows = [row for row in self.rows() if row.activation == activation]
        return [[row] for row in self._take_out(rows[:: max(1, len(rows) // number)][:number])]

    def _take_out(self, rows: list[ClaimedRow]) -> list[ClaimedRow]:
        gone = set(rows)
        left = [[row for row in part if row not in gone] for part in self._parts]
        self._parts = deque(part for part in left if part)
        return rows


def cut(rows: list[ClaimedRow], size: int) -> list[Part]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def halves(rows: Sequence[ClaimedRow]) -> list[Part]:
    middle = len(rows) // 2
    return [list(rows[:middle]), list(rows[middle:])]


def halves_by_activation(rows: Sequence[ClaimedRow]) -> list[Part]:
    """Return the rows of half of the activations, and those of the others; one part where there is one activation."""
    activations = sorted({row.activation for row in rows})
    first = set(activations[: len(activations) // 2])
    return grouped(rows, lambda row: row.activation not in first)


def grouped(rows: Sequence[ClaimedRow], key: Callable[[ClaimedRow], object]) -> list[Part]:
    """Return the rows in parts of the same key, in the order in which these come first."""
    found: dict[object, Part] = {}
    for row in rows:
        found.setdefault(key(row), []).append(row)
    return list(found.values())
