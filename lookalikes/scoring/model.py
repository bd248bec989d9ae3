"""The trained model, in the form in which it is stored, and the function that scores by it.

Weights are whole multiples of 2⁻³², so that sums of them are exact: whoever adds them up, in whatever order, gets the
same score to the last bit, and a user at the threshold is on the same side of it everywhere.
"""

import math
from array import array
from collections.abc import Callable

import msgspec

from audiences.rules.evaluate import Predicate
from audiences.rules.subject import Subject
from lookalikes.scoring.fields import FeatureField
from lookalikes.scoring.reader import reader

GRAIN = 2.0**-32
LARGEST = 2.0**12  # a weight; sums of all a profile's features stay below the 2²⁰ to which they are exact

Scorer = Callable[[Subject, int], float]
"""(subject, now in unix ms) → score, the log-odds as learnt; only their order means something."""


class LinearModel(msgspec.Struct, frozen=True):
    """`slots` (uint32) and `weights` (float64) are arrays in the machine's own bytes, little-endian. A score s is a
    chance of 1 / (1 + exp(−(slope · s + offset))) that somebody of the whole population is in the seed.
    """

    fields: tuple[FeatureField, ...]
    intercept: float
    slots: bytes
    weights: bytes
    slope: float
    offset: float

    def weight_of(self) -> dict[int, float]:
        """Returns the weights by slot."""
        slots, weights = array("I", self.slots), array("d", self.weights)
        return dict(zip(slots, weights, strict=True))

    def chance(self, score: float) -> float:
        """Returns how likely a user of that score is in the seed, 0 to 1."""
        return 1 / (1 + math.exp(min(700.0, -(self.slope * score + self.offset))))

    @property
    def dependencies(self) -> frozenset[str]:
        """Returns what a score depends on, beside time (keys as in `audiences.rules.dependencies`)."""
        return frozenset(field.dependency for field in self.fields)


encode_model = msgspec.msgpack.Encoder().encode
decode_model = msgspec.msgpack.Decoder(LinearModel).decode


def exact(weight: float) -> float:
    """Returns the nearest weight that adds up exactly."""
    return round(max(-LARGEST, min(LARGEST, weight)) / GRAIN) * GRAIN


def scorer(model: LinearModel) -> Scorer:
    """Returns the model as a function; a call takes some microseconds."""
    read, weight_of, intercept = reader(model.fields), model.weight_of().get, model.intercept

    def score(subject: Subject, now_ms: int) -> float:
        total = intercept
        for slot in read(subject, now_ms):
            total += weight_of(slot, 0.0)
        return total

    return score


def threshold_predicate(score: Scorer, threshold: float) -> Predicate:
    """Returns the predicate that holds where a subject scores the threshold at least.

    It announces no moment of change: ages turn at midnight (UTC) for nearly everybody, and are caught by one pass
    over all profiles a day instead of a note for each of them.
    """
    return lambda subject, now_ms: (score(subject, now_ms) >= threshold, None)
