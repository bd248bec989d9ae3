"""A line chart of shares, as the numbers of an inline SVG."""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 600, 160


@dataclass(frozen=True, slots=True)
class Chart:
    """`values`: (label, share from 0 to 1), evenly spaced; where there is no share, the line is broken."""

    values: Sequence[tuple[str, float | None]]

    @property
    def box(self) -> str:
        return f"0 0 {WIDTH} {HEIGHT}"

    @property
    def lines(self) -> list[str]:
        """The `points` of a polyline for each stretch without a gap."""
        stretches: list[list[str]] = [[]]
        for place, (_, share) in enumerate(self.values):
            if share is None:
                stretches.append([])
            else:
                stretches[-1].append(f"{self._across(place):.1f},{HEIGHT * (1 - share):.1f}")
        return [" ".join(points) for points in stretches if points]

    @property
    def dots(self) -> list[tuple[str, str, str]]:
        """x, y and what to say about it."""
        return [
            (f"{self._across(place):.1f}", f"{HEIGHT * (1 - share):.1f}", f"{label}: {100 * share:.1f} %")
            for place, (label, share) in enumerate(self.values)
            if share is not None
        ]

    @property
    def first(self) -> str:
        return self.values[0][0]

    @property
    def last(self) -> str:
        return self.values[-1][0]

    def _across(self, place: int) -> float:
        return WIDTH * place / max(1, len(self.values) - 1)
