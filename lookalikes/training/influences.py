"""Finds the features that move scores most, in words."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from audiences.rules.subject import Subject
from lookalikes.scoring.fields import FeatureField, FeatureReading, FeatureSource, slot_of, text_of
from lookalikes.scoring.reader import values
from lookalikes.training.fitting import Trained

MOST = 20
ENOUGH = 20  # people of a sample who share a value before it is shown
LONGEST_VALUE = 60
Names = Mapping[str, str]
"""What people call a dependency, e.g. `pixel.7` → “Web shop”."""

_MEASURES = {
    "total": "events on {name}: {range}",
    "days": "days with events on {name}: {range}",
    "first": "first seen on {name} {range} ago",
    "last": "last seen on {name} {range} ago",
}


def influences(trained: Trained, sample: Sequence[Subject], names: Names) -> list[dict[str, Any]]:
    """Returns the strongest first, as `{"feature": words, "weight": log-odds, "share": of the examples that have it}`.

    Strength is the weight times how much the feature varies among people. Values that too few people of the sample
    share are not shown: they could say who somebody is.
    """
    words = dict(_words(trained.model.fields, sample, names))
    weights = trained.model.weight_of()
    strength = {slot: _strength(weight, trained.share[slot]) for slot, weight in weights.items() if slot in words}
    ordered = sorted(strength, key=lambda slot: (-strength[slot], slot))
    return [
        {"feature": words[slot], "weight": round(weights[slot], 4), "share": round(trained.share[slot], 4)}
        for slot in ordered[:MOST]
    ]


def _strength(weight: float, share: float) -> float:
    return abs(weight) * math.sqrt(max(0.0, share * (1 - share)))


def _words(fields: Iterable[FeatureField], sample: Sequence[Subject], names: Names) -> Iterable[tuple[int, str]]:
    for field in fields:
        if field.source is FeatureSource.AUDIENCE:
            yield slot_of(field.mark, "in"), member_in_words(field, names)
        elif field.reading is FeatureReading.CATEGORY:
            for text in _shared_values(field, sample):
                yield slot_of(field.mark, text), category_in_words(field, text, names)
        else:
            for number, slot in enumerate(field.ranges):
                yield slot, range_in_words(field, number, names)


def _shared_values(field: FeatureField, sample: Sequence[Subject]) -> list[str]:
    value_of = values(field)
    counts: dict[str, int] = {}
    for subject in sample:
        value = value_of(subject)
        for text in {text_of(one) for one in (value if isinstance(value, list) else [value])} - {None}:
            counts[str(text)] = counts.get(str(text), 0) + 1
    return [text for text, count in counts.items() if count >= ENOUGH]


def category_in_words(field: FeatureField, text: str, names: Names) -> str:
    """Returns a category in words. `text` as `text_of` gives it."""
    value = text if text in {"yes", "no"} else text[1:]
    shown = value if len(value) <= LONGEST_VALUE else value[:LONGEST_VALUE] + "…"
    return f"{_name(field, names)} is {shown}"


def range_in_words(field: FeatureField, number: int, names: Names) -> str:
    """Returns the `number`-th range of a field in words, counted from 0."""
    name = _name(field, names)
    if field.source is FeatureSource.PIXEL:
        text = _range(field.edges, number, whole=True)
        return _MEASURES[field.keys[1]].format(
            name=name, range=f"{text} days" if field.reading is FeatureReading.AGE else text
        )
    if field.reading is FeatureReading.AGE:
        return f"{name} {_range(field.edges, number, whole=True)} days ago"
    return f"{name}: {_range(field.edges, number, whole=False)}"


def member_in_words(field: FeatureField, names: Names) -> str:
    """Returns the membership of an audience in words."""
    return f"in audience {_name(field, names)}"


def _name(field: FeatureField, names: Names) -> str:
    path = ".".join(field.keys[:1] if field.source in {FeatureSource.PIXEL, FeatureSource.AUDIENCE} else field.keys)
    return names.get(f"{field.source}.{path}", path)


def _range(edges: tuple[float, ...], number: int, *, whole: bool) -> str:
    """Each edge belongs to the range above it."""
    if not edges:
        return "any"
    if number == 0:
        return f"up to {_number(edges[0] - 1)}" if whole else f"below {_number(edges[0])}"
    low = edges[number - 1]
    if number == len(edges):
        return f"{_number(low)} or more"
    high = edges[number]
    if not whole:
        return f"{_number(low)} to below {_number(high)}"
    return _number(low) if high - low <= 1 else f"{_number(low)} to {_number(high - 1)}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.4g}"
