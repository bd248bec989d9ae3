"""Line charts, as the numbers of an inline SVG: shares over time, and a lookalike's lift over its size."""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 600, 160
LIFT_HEIGHT = 200


@dataclass(frozen=True, slots=True)
class ShareChart:
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


@dataclass(frozen=True, slots=True)
class LiftPoint:
    """`chosen`: the point nearest to what the lookalike reaches now."""

    percent: float
    x: str
    y: str
    text: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class LiftCurve:
    """From the lift of chance, 1, at the bottom to the highest lift at the top."""

    points: list[LiftPoint]
    top: str
    last: str

    @property
    def line(self) -> str:
        return " ".join(f"{point.x},{point.y}" for point in self.points)

    @classmethod
    def of(cls, points: list[dict[str, float]], reached: float | None) -> "LiftCurve":
        """Draw a model's curve. `reached`: percent of all profiles that were reached, None before the first scoring."""
        top = max(1.1, *(point["lift"] for point in points))
        widest = points[-1]["percent"]
        nearest = None if reached is None else min(points, key=lambda point: abs(point["percent"] - reached))
        drawn = [
            LiftPoint(
                percent=point["percent"],
                x=f"{WIDTH * point['percent'] / widest:.1f}",
                y=f"{LIFT_HEIGHT * (1 - max(0.0, point['lift'] - 1) / (top - 1)):.1f}",
                text=f"{point['percent']:g} %: {point['people']:,.0f} people, lift {point['lift']:.2f},"
                f" {100 * point['captured']:.0f} % of the seed",
                chosen=point is nearest,
            )
            for point in points
        ]
        return cls(drawn, f"{top:.2f}", f"{widest:g} %")
