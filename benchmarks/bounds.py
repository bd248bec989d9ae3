"""What a benchmark must show, and whether it did."""

from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Bound:
    """A measured value against its limit. `measured` is None where it could not be shown; `why` says why."""

    name: str
    measured: float | None
    sense: Literal["at least", "at most"]
    limit: float
    unit: str = ""
    why: str = ""

    @property
    def held(self) -> bool | None:
        """None: not shown."""
        if self.measured is None:
            return None
        return self.measured >= self.limit if self.sense == "at least" else self.measured <= self.limit


@dataclass(frozen=True, slots=True)
class Table:
    title: str
    columns: list[str]
    rows: list[list[str]]


@dataclass(slots=True)
class Result:
    """What one benchmark found. `figures` is the raw material, as JSON."""

    name: str
    tables: list[Table] = field(default_factory=list)
    bounds: list[Bound] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Options:
    """`quick` runs are too short to show anything but that the benchmark works.

    `minutes`: of the soak, which is scaled down with it; `rows`: that fall due in `rechecks`.
    """

    quick: bool = False
    profile: bool = False
    edge_workers: int = 1
    workers: int = 1
    minutes: float = 15.0
    rows: int = 1_000_000
