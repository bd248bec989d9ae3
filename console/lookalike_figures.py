"""A lookalike's page: its curve of size against expected lift, its figures, its influences."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from audiences.models import Audience
from console.cells import Table, table
from console.charts import LiftCurve
from lookalikes.models import LookalikeModel
from lookalikes.status import LookalikeStatus, status_of

STAGES = {
    "looking": "looking at what there is",
    "reading": "reading examples",
    "learning": "learning",
    "scoring": "scoring everybody",
    "moving": "moving members",
}


def figures_of(audience: Audience) -> dict[str, Any]:
    """Return what the page's template shows above the form."""
    story = status_of(audience)
    figures = story.model.figures if story.model else {}
    reached = story.scoring["percent"] if story.scoring else None
    refused = story.newest.refusal if story.newest and story.newest is not story.model else ""
    return {
        "story": story,
        "refusal": refused,
        "stage": STAGES.get(story.stage, story.stage),
        "under_way": bool(story.stage) or not (story.newest or story.error),
        "percent_done": round(100 * story.progress),
        "figures": _figures(story),
        "curve": LiftCurve.of(figures["curve"], reached) if figures.get("curve") else None,
        "influences": _filled(["What is known", "Makes it", "True of"], map(_influence, figures.get("influences", []))),
        "excluded": _filled(["Left out", "Why"], sorted(figures.get("excluded", {}).items())),
        "versions": _filled(["Model", "Made", "Held-out AUC", "Seed", ""], map(_version, story.versions)),
    }


def _figures(story: LookalikeStatus) -> list[dict[str, str]]:
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


def _influence(one: dict[str, Any]) -> list[str]:
    return [one["feature"], "likelier" if one["weight"] > 0 else "less likely", f"{100 * one['share']:.1f} %"]


def _version(one: LookalikeModel) -> list[str]:
    auc, seed = one.figures.get("auc"), one.figures.get("seed", 0)
    made = f"{one.made_at:%Y-%m-%d %H:%M}"
    return [str(one.number), made, "–" if auc is None else f"{auc:.3f}", f"{seed:,}", one.refusal]


def _filled(headers: list[str], rows: Iterable[Sequence[str]]) -> Table | None:
    """The table; none where it would have no rows."""
    found = table(headers, rows)
    return found if found["rows"] else None
