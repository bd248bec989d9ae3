"""Figures of scores: how well they tell the seed apart, how many users they reach, how they have drifted."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from lookalikes.scoring.reach import MOST_PERCENT
from lookalikes.training.feature_rows import Numbers

PERCENTS = (0.5, *range(1, MOST_PERCENT + 1))
DECILES = 10


@dataclass(frozen=True, slots=True)
class HeldOutScores:
    """Scores of people whom the model had not seen, by whether they are in the seed; `weights`: how many of the whole
    population each stands for."""

    scores: Numbers
    labels: Numbers
    weights: Numbers


def auc_error(auc: float, positives: int, negatives: int) -> float:
    """Returns the standard error of an area under the curve (Hanley and McNeil, 1982)."""
    q1, q2 = auc / (2 - auc), 2 * auc * auc / (1 + auc)
    above = auc * (1 - auc) + (positives - 1) * (q1 - auc * auc) + (negatives - 1) * (q2 - auc * auc)
    return math.sqrt(max(0.0, above) / (positives * negatives))


def lift_curve(held_out: HeldOutScores, population: int) -> list[dict[str, float]]:
    """Returns, for sizes in `percent` of the population: `people`, how many that are; `lift`, how many times as many of
    the seed are among them as among as many at random; and `captured`, their share of the seed.
    """
    order = np.argsort(-held_out.scores, kind="stable")
    weights, members = held_out.weights[order], (held_out.weights * held_out.labels)[order]
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
    """Returns the score from which on the number of people is nearest to `wanted`: equal scores stay together."""
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
    """Returns the scores at which the tenths part."""
    return [float(one) for one in np.quantile(scores, np.arange(1, DECILES) / DECILES)] if len(scores) else []


def shares_of(scores: Numbers, parted: list[float]) -> list[float]:
    """Returns the shares of scores in the ranges that `parted` divides."""
    counts = np.bincount(np.searchsorted(np.array(parted), scores, side="right"), minlength=len(parted) + 1)
    return [float(one) for one in counts / max(1, len(scores))]


def drift(then: list[float], now: list[float]) -> float:
    """Returns the population stability index of two spreads: below 0.1 hardly any drift, above 0.25 much."""
    floor = 1e-4
    pairs = [(max(one, floor), max(other, floor)) for one, other in zip(then, now, strict=True)]
    return round(sum((other - one) * math.log(other / one) for one, other in pairs), 4)


def held_out_counts(held_out: HeldOutScores) -> dict[str, Any]:
    """Returns how many of the held-out users are in the seed, and how many are not."""
    return {"positives": int(held_out.labels.sum()), "negatives": int((1 - held_out.labels).sum())}
