"""The reach of a lookalike: how many users it is to hold, as percent of all eligible profiles or as a number.

The users who are closest to the seed are taken first. Who they are is decided by scores, not here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MOST_PERCENT = 20
MOST_PEOPLE = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Reach:
    """Percent of all eligible profiles, or a number of people: exactly one of the two is set."""

    percent: float | None = None
    people: int | None = None

    def wanted(self, population: int) -> int:
        """Returns how many users that are, of a population of this size."""
        if self.people is not None:
            return min(self.people, population)
        return round(population * (self.percent or 0.0) / 100)


def read_reach(value: Any) -> Reach:
    """Read `{"percent": 1–20}` or `{"people": n}`. Raises `ValueError` with what is wrong."""
    if not isinstance(value, Mapping) or len(value) != 1:
        raise ValueError('must be {"percent": 1 to 20} or {"people": how many}')
    ((name, number),) = value.items()
    if name == "percent" and type(number) in (int, float) and 1 <= number <= MOST_PERCENT:
        return Reach(percent=number)
    if name == "people" and type(number) is int and 1 <= number <= MOST_PEOPLE:
        return Reach(people=number)
    raise ValueError(f'must be {{"percent": 1 to {MOST_PERCENT}}} or {{"people": a whole number above zero}}')
