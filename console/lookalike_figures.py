"""A lookalike's page: its curve of size against expected lift, its figures, its influences."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from audiences.models import Audience
from lookalikes.models import LookalikeModel
from lookalikes.story import Story, story_of

WIDTH, HEIGHT = 600, 200
STAGES = {
    "looking": "looking at what there is",
    "reading": "reading examples",
    "learning": "learning",
    "scoring": "scoring everybody",
    "moving": "moving members",
}


@dataclass(frozen=True, slots=True)
class Point:
    """Of an inline SVG."""

    percent: float
    x: str
    y: str
    text: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class Curve:
    """From the lift of chance, 1, at the bottom to the highest lift at the top."""

    points: list[Point]
    top: str
    last: str

    @property
    def line(self) -> str:
        return " ".join(f"{point.x},{point.y}" for point in self.points)


def shown(audience: Audience) -> dict[str, Any]:
    """What the page's template shows above the form."""
    story = story_of(audience)
    figures = story.model.figures if story.model else {}
    refused = story.newest.refusal if story.newest and story.newest is not story.model else ""
    return {
        "story": story,
        "refusal": refused,
        "stage": STAGES.get(story.stage, story.stage),
        "under_way": bool(story.stage) or not (story.newest or story.error),
        "percent_done": round(100 * story.progress),
        "figures": _figures(story),
        "curve": _curve(figures["curve"], story) if figures.get("curve") else None,
        "influences": _table(["What is known", "Makes it", "True of"], map(_influence, figures.get("influences", []))),
        "excluded": _table(["Left out", "Why"], sorted(figures.get("excluded", {}).items())),
        "versions": _table(["Model", "Made", "Held-out AUC", "Seed", ""], map(_version, story.versions)),
    }


def _figures(story: Story) -> list[dict[str, str]]:
    if story.model is None:
        return []
    found = [_figure("Held-out AUC", f"{story.model.figures['auc']:.3f}", "0.5 is chance, 1 is perfect")]
    if story.scoring is not None:
        one = story.scoring
        at = datetime.fromisoformat(one["at"])
        found += [
            _figure("Reached", f"{one['reached']:,}", f"{one['percent']} % of {one['population']:,} profiles"),
            _figure("Expected lift", f"{one['lift']:.2f} ×", "as many of the seed as among as many at random"),
            _figure("Overlap", f"{one['overlap']:,}", f"of them are in the seed of {one['seed']:,}"),
            _figure("Drift", f"{one['drift']:.3f}", f"since it learnt; above 0.25 is much. {at:%Y-%m-%d %H:%M} UTC"),
        ]
    return found


def _figure(title: str, value: str, hint: str) -> dict[str, str]:
    return {"title": title, "value": value, "hint": hint}


def _curve(points: list[dict[str, float]], story: Story) -> Curve:
    top = max(1.1, *(point["lift"] for point in points))
    widest = points[-1]["percent"]
    reached = story.scoring["percent"] if story.scoring else None
    nearest = None if reached is None else min(points, key=lambda point: abs(point["percent"] - reached))
    drawn = [
        Point(
            point["percent"],
            f"{WIDTH * point['percent'] / widest:.1f}",
            f"{HEIGHT * (1 - max(0.0, point['lift'] - 1) / (top - 1)):.1f}",
            f"{point['percent']:g} %: {point['people']:,.0f} people, lift {point['lift']:.2f},"
            f" {100 * point['captured']:.0f} % of the seed",
            point is nearest,
        )
        for point in points
    ]
    return Curve(drawn, f"{top:.2f}", f"{widest:g} %")


def _influence(one: dict[str, Any]) -> list[str]:
    return [one["feature"], "likelier" if one["weight"] > 0 else "less likely", f"{100 * one['share']:.1f} %"]


def _version(one: LookalikeModel) -> list[str]:
    auc, seed = one.figures.get("auc"), one.figures.get("seed", 0)
    made = f"{one.made_at:%Y-%m-%d %H:%M}"
    return [str(one.number), made, "–" if auc is None else f"{auc:.3f}", f"{seed:,}", one.refusal]


def _table(headers: list[str], rows: Any) -> dict[str, Any] | None:
    """What unfold's table component shows; none where there is nothing."""
    found = [list(row) for row in rows]
    return {"headers": headers, "rows": found} if found else None
