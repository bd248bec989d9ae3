"""Whose turn it is: what waits is taken one of each owner after the other, so that much of one holds up no other."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TypeVar
from zlib import crc32

Item = TypeVar("Item")


def in_turn(items: Sequence[Item], owner_of: Callable[[Item], int | None], round_: int = 0) -> list[Item]:
    """Returns the items one of each owner after the other; each owner's stay in their order.

    Which owner begins depends on `round_`, and changes with it: so who takes only the first of the items again and
    again serves all owners alike.
    """
    seen: Counter[int | None] = Counter()
    placed = []
    for item in items:
        owner = owner_of(item)
        placed.append((seen[owner], crc32(b"%d %d" % (round_, owner or 0)), item))
        seen[owner] += 1
    return [item for _, _, item in sorted(placed, key=lambda one: one[:2])]


class Turns:
    """Remembers who was served when, in this process."""

    def __init__(self) -> None:
        self._served: dict[int, int] = {}
        self._count = 0

    def order(self, items: Sequence[Item], owner_of: Callable[[Item], int]) -> list[Item]:
        """Returns the items of those first who were served the longest ago, or never; each owner's in their order."""
        return sorted(items, key=lambda item: self._served.get(owner_of(item), 0))

    def serve(self, owner: int) -> None:
        self._count += 1
        self._served[owner] = self._count
