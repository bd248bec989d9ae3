"""The features that move scores most, in words."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from audiences.rules.subject import Subject
from lookalikes.scoring.fields import Field, Reading, Source, slot_of, text_of
from lookalikes.scoring.reader import values
from lookalikes.scoring.words import Names, category_in_words, member_in_words, range_in_words
from lookalikes.training.training import Trained

MOST = 20
ENOUGH = 20  # people of a sample who share a value before it is shown


def influences(trained: Trained, sample: Sequence[Subject], names: Names) -> list[dict[str, Any]]:
    """The strongest first, as `{"feature": words, "weight": log-odds, "share": of the examples that have it}`.

    How strong: the weight, by how much the feature varies among people. Values that too few people of the sample
    share are not shown: they could say who somebody is.
    """
    told = dict(_words(trained.model.fields, sample, names))
    weights = trained.model.weight_of()
    strength = {slot: _strength(weight, trained.share[slot]) for slot, weight in weights.items() if slot in told}
    ordered = sorted(strength, key=lambda slot: (-strength[slot], slot))
    return [
        {"feature": told[slot], "weight": round(weights[slot], 4), "share": round(trained.share[slot], 4)}
        for slot in ordered[:MOST]
    ]


def _strength(weight: float, share: float) -> float:
    return abs(weight) * math.sqrt(max(0.0, share * (1 - share)))


def _words(fields: Iterable[Field], sample: Sequence[Subject], names: Names) -> Iterable[tuple[int, str]]:
    for field in fields:
        if field.source is Source.AUDIENCE:
            yield slot_of(field.mark, "in"), member_in_words(field, names)
        elif field.reading is Reading.CATEGORY:
            for text in _shared_values(field, sample):
                yield slot_of(field.mark, text), category_in_words(field, text, names)
        else:
            for number, slot in enumerate(field.ranges):
                yield slot, range_in_words(field, number, names)


def _shared_values(field: Field, sample: Sequence[Subject]) -> list[str]:
    value_of = values(field)
    counts: dict[str, int] = {}
    for subject in sample:
        value = value_of(subject)
        for text in {text_of(one) for one in (value if isinstance(value, list) else [value])} - {None}:
            counts[str(text)] = counts.get(str(text), 0) + 1
    return [text for text, count in counts.items() if count >= ENOUGH]
