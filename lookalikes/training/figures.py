"""What is worth knowing of scores: how well they tell the seed apart, how many they reach, how they have drifted."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from lookalikes.scoring.reach import MOST_PERCENT
from lookalikes.training.rows import Numbers

PERCENTS = (0.5, *range(1, MOST_PERCENT + 1))
DECILES = 10


@dataclass(frozen=True, slots=True)
class Judged:
    """Scores of people whom the model had not seen, by whether they are in the seed; `weights`: how many of the whole
    population each stands for."""

    scores: Numbers
    labels: Numbers
    weights: Numbers


def auc_error(auc: float, positives: int, negatives: int) -> float:
    """The standard error of an area under the curve (Hanley and McNeil, 1982)."""
    q1, q2 = auc / (2 - auc), 2 * auc * auc / (1 + auc)
    above = auc * (1 - auc) + (positives - 1) * (q1 - auc * auc) + (negatives - 1) * (q2 - auc * auc)
    return math.sqrt(max(0.0, above) / (positives * negatives))


def lift_curve(judged: Judged, population: int) -> list[dict[str, float]]:
    """At each size: `percent` of the population, so many `people`, `lift` (how many times as many of the seed as
    among as many at random) and `captured` (the share of the seed)."""
    order = np.argsort(-judged.scores, kind="stable")
    weights, members = judged.weights[order], (judged.weights * judged.labels)[order]
    size, captured = np.cumsum(weights) / weights.sum(), np.cumsum(members) / members.sum()
    shares = np.array(PERCENTS) / 100
    found = np.interp(shares, np.concatenate([[0.0], size]), np.concatenate([[0.0], captured]))
    return [
        {
            "percent": percent,
            "people": round(population * share),
            "lift": round(float(part / share), 3),
            "captured": round(float(part), 4),
        }
        for percent, share, part in zip(PERCENTS, shares, found, strict=True)
    ]


def threshold_of(scores: Numbers, wanted: int) -> float:
    """The score from which on the number of people is nearest to `wanted`: people of one score stay together."""
    if not len(scores):
        return math.inf
    ordered = np.sort(scores)[::-1]
    at = ordered[min(max(wanted, 1), len(ordered)) - 1]
    with_equals = int(np.searchsorted(-ordered, -at, side="right"))
    without = int(np.searchsorted(-ordered, -at, side="left"))
    if without and wanted - without < with_equals - wanted:
        return float(ordered[without - 1])
    return float(at)


def deciles(scores: Numbers) -> list[float]:
    """Where the scores' tenths part."""
    return [float(one) for one in np.quantile(scores, np.arange(1, DECILES) / DECILES)] if len(scores) else []


def shares_of(scores: Numbers, parted: list[float]) -> list[float]:
    """How the scores spread over the parts between `parted`."""
    counts = np.bincount(np.searchsorted(np.array(parted), scores, side="right"), minlength=len(parted) + 1)
    return [float(one) for one in counts / max(1, len(scores))]


def drift(then: list[float], now: list[float]) -> float:
    """The population stability index of two spreads: below 0.1 hardly any, above 0.25 much."""
    floor = 1e-4
    pairs = [(max(one, floor), max(other, floor)) for one, other in zip(then, now, strict=True)]
    return round(sum((other - one) * math.log(other / one) for one, other in pairs), 4)


def of_judged(judged: Judged) -> dict[str, Any]:
    return {"positives": int(judged.labels.sum()), "negatives": int((1 - judged.labels).sum())}
