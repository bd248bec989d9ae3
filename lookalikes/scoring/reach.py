"""How many a lookalike is to hold: the closest percents of all eligible profiles, or a number of people."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MOST_PERCENT = 20
MOST_PEOPLE = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Reach:
    """One of the two is set."""

    percent: float | None = None
    people: int | None = None

    def wanted(self, population: int) -> int:
        """Of so many profiles."""
        if self.people is not None:
            return min(self.people, population)
        return round(population * (self.percent or 0.0) / 100)


def read_reach(value: Any) -> Reach:
    """`{"percent": 1–20}` or `{"people": n}`. Raises `ValueError` with what is wrong."""
    if not isinstance(value, Mapping) or len(value) != 1:
        raise ValueError('must be {"percent": 1 to 20} or {"people": how many}')
    ((name, number),) = value.items()
    if name == "percent" and type(number) in (int, float) and 1 <= number <= MOST_PERCENT:
        return Reach(percent=number)
    if name == "people" and type(number) is int and 1 <= number <= MOST_PEOPLE:
        return Reach(people=number)
    raise ValueError(f'must be {{"percent": 1 to {MOST_PERCENT}}} or {{"people": a whole number above zero}}')
