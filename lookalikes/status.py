"""The status of a lookalike for API and console: how good its model is, whom it reached, what is under way."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from audiences.models import Audience
from lookalikes.models import LookalikeModel, LookalikeRun

VERSIONS_SHOWN = 50


@dataclass(frozen=True, slots=True)
class LookalikeStatus:
    """`model`: the one in force; `newest`: the last attempt, which may have been refused. `scoring`: what the last
    one found (`reached`, `overlap`, `seed`, `population`, `drift`, `at`), with the `lift` held out at that reach.
    `progress`: of the stage, 0 to 1.
    """

    model: LookalikeModel | None
    newest: LookalikeModel | None
    versions: list[LookalikeModel]
    scoring: dict[str, Any] | None
    stage: str
    progress: float
    train_at: datetime | None
    score_at: datetime | None
    error: str


def status_of(audience: Audience) -> LookalikeStatus:
    """Returns the status as it is stored now."""
    run = LookalikeRun.objects.filter(audience_id=audience.id).first() or LookalikeRun(audience_id=audience.id)
    versions = list(audience.models.defer("content").order_by("-number")[:VERSIONS_SHOWN])
    in_force = audience.models.filter(number=audience.model_number or 0).defer("content").first()
    return LookalikeStatus(
        in_force,
        versions[0] if versions else None,
        versions,
        _scoring(run, in_force),
        run.stage,
        run.done / run.total if run.total else 0.0,
        run.train_at,
        run.score_at,
        run.error,
    )


def _scoring(run: LookalikeRun, model: LookalikeModel | None) -> dict[str, Any] | None:
    """Returns the figures of the last scoring by this model, without what only the next scoring needs."""
    if model is None or run.figures.get("model") != model.number:
        return None
    found = {key: run.figures[key] for key in ("at", "population", "reached", "seed", "overlap", "drift")}
    share = 100 * found["reached"] / max(1, found["population"])
    return found | {"percent": round(share, 2), "lift": lift_at(model.figures["curve"], share)}


def lift_at(curve: list[dict[str, float]], percent: float) -> float:
    """Returns the lift at a size: on a straight line between points of the curve, beyond its ends that of the end."""
    before = curve[0]
    for point in curve:
        if point["percent"] >= percent:
            span = point["percent"] - before["percent"]
            part = (percent - before["percent"]) / span if span and percent > before["percent"] else 0.0
            low = before if span else point
            return round(low["lift"] + part * (point["lift"] - low["lift"]), 3)
        before = point
    return curve[-1]["lift"]
