"""Reads the features of a profile, compiled once: the only way to them, in training, in bulk and for every event."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from audiences.rules.subject import Json, Subject, value_reader
from lookalikes.scoring.fields import FeatureField, FeatureReading, FeatureSource, slot_of, text_of

DAY_MS = 86_400_000
DAY_SECONDS = 86_400
TEXTS_KEPT = 1_000  # of a field, whose slots are not worked out again

Reader = Callable[[Subject, int], list[int]]
"""(subject, now in unix ms) → the slots of the features it has. Only the UTC day of `now` matters."""
Values = Callable[[Subject], Json]
_Part = Callable[[Subject, int, list[int]], object]


def reader(fields: Iterable[FeatureField]) -> Reader:
    """Returns a function that reads these fields of a subject."""
    parts = tuple(map(_part, fields))

    def read(subject: Subject, now_ms: int) -> list[int]:
        today = now_ms // DAY_MS
        found: list[int] = []
        for part in parts:
            part(subject, today, found)
        return found

    return read


def numbers_of(field: FeatureField, subject: Subject, today: int) -> list[float]:
    """Returns the numbers, or the ages in days, that a subject holds in a field which is read by ranges."""
    if field.source is FeatureSource.PIXEL:
        measured = _measure(field)(subject, today)
        return [] if measured is None else [measured]
    value = values(field)(subject)
    numbers: list[Any] = [one for one in (value if type(value) is list else [value]) if type(one) in (int, float)]
    return [_age(one, today) for one in numbers] if field.reading is FeatureReading.AGE else numbers


def values(field: FeatureField) -> Values:
    """Returns a function that reads an attribute or a dimension of a subject."""
    return value_reader(field.keys, in_dimensions=field.source is FeatureSource.DIMENSION)


def _part(field: FeatureField) -> _Part:
    if field.source is FeatureSource.AUDIENCE:
        return _belonging(field)
    if field.source is FeatureSource.PIXEL:
        return _activity(field)
    return _categories(field) if field.reading is FeatureReading.CATEGORY else _ranges(field)


def _belonging(field: FeatureField) -> _Part:
    audience, slot = int(field.keys[0]), slot_of(field.mark, "in")

    def part(subject: Subject, _today: int, found: list[int]) -> None:
        if audience in subject.audiences:
            found.append(slot)

    return part


def _activity(field: FeatureField) -> _Part:
    measure, edges, slots = _measure(field), field.edges, field.ranges
    pixel, name = field.keys

    def moment(subject: Subject, today: int, found: list[int]) -> None:
        seen = subject.activity.get(pixel)
        if seen:
            found.append(slots[bisect_right(edges, today - seen[name] // DAY_MS)])

    if field.reading is FeatureReading.AGE:  # half of all activity: read without a further call
        return moment

    def part(subject: Subject, today: int, found: list[int]) -> None:
        measured = measure(subject, today)
        if measured is not None:
            found.append(slots[bisect_right(edges, measured)])

    return part


def _measure(field: FeatureField) -> Callable[[Subject, int], int | None]:
    """Returns a function that measures a pixel's activity; None where the pixel never saw the subject."""
    pixel, name = field.keys

    def moment(subject: Subject, today: int) -> int | None:
        seen = subject.activity.get(pixel)
        return today - seen[name] // DAY_MS if seen else None

    def total(subject: Subject, _today: int) -> int | None:
        seen = subject.activity.get(pixel)
        return seen["total"] if seen else None

    def days(subject: Subject, _today: int) -> int | None:
        seen = subject.activity.get(pixel)
        return len(seen["days"]) if seen else None

    return {"total": total, "days": days}.get(name, moment)


def _categories(field: FeatureField) -> _Part:
    value_of, mark = values(field), field.mark
    known: dict[str, int] = {}

    def slot_of_text(value: str) -> int:
        slot = slot_of(mark, "s" + value)
        if len(known) < TEXTS_KEPT:
            known[value] = slot
        return slot

    def part(subject: Subject, _today: int, found: list[int]) -> None:
        value = value_of(subject)
        if type(value) is str:
            slot = known.get(value)
            found.append(slot_of_text(value) if slot is None else slot)
        elif type(value) is list:
            found.extend(_distinct(mark, value))
        elif (text := text_of(value)) is not None:
            found.append(slot_of(mark, text))

    return part


def _distinct(mark: int, elements: Sequence[Any]) -> list[int]:
    """A list is a set: how often, and in which order, does not matter."""
    texts = {text for element in elements if (text := text_of(element)) is not None}
    return [slot_of(mark, text) for text in texts]


def _ranges(field: FeatureField) -> _Part:
    value_of, edges, slots = values(field), field.edges, field.ranges
    ages = field.reading is FeatureReading.AGE

    def part(subject: Subject, today: int, found: list[int]) -> None:
        value = value_of(subject)
        if type(value) is int or type(value) is float:
            found.append(slots[bisect_right(edges, _age(value, today) if ages else value)])
        elif type(value) is list:
            numbers: list[Any] = [one for one in value if type(one) in (int, float)]
            found.extend({slots[bisect_right(edges, _age(one, today) if ages else one)] for one in numbers})

    return part


def _age(seconds: float, today: int) -> float:
    """In whole UTC days; below zero for what is still to come."""
    return today - seconds // DAY_SECONDS
