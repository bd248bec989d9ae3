"""Chooses the fields that a model looks at, and the ranges of their numbers, from a sample of profiles."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from audiences.rules.operators import AttributeType
from audiences.rules.subject import Subject
from lookalikes.scoring.fields import FeatureField, FeatureReading, FeatureSource, text_of
from lookalikes.scoring.reader import DAY_MS, numbers_of, values
from profiles.paths import join_path, split_path

PARTS = 10  # ranges of a number, where it has more values than FEW
FEW = 20
MEASURES = {
    "total": FeatureReading.NUMBER,
    "days": FeatureReading.NUMBER,
    "first": FeatureReading.AGE,
    "last": FeatureReading.AGE,
}
NUMERIC_SHARE = 0.9  # of the values of a field whose type is open, to be read as numbers
PERSONAL_SHARE = 0.5  # of values that occur once: such a field tells persons apart instead of describing them
ENOUGH = 50


@dataclass(frozen=True, slots=True)
class Candidates:
    """Fields that may be chosen: attributes by path, pixels and audiences by id; no `hidden` dependencies."""

    attributes: dict[str, AttributeType]
    pixels: Sequence[int]
    audiences: Sequence[int]
    hidden: frozenset[str] = frozenset()


@dataclass(slots=True)
class FieldChoice:
    """The chosen fields. `left_out`: fields that would not help, by dependency or path, each with the reason."""

    fields: list[FeatureField] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)


def choose_fields(candidates: Candidates, sample: Sequence[Subject], now_ms: int) -> FieldChoice:
    """Returns the fields that the sample shows to be useful."""
    choice = FieldChoice()
    for one in _open_fields(candidates, sample):
        _decide(one, sample, now_ms // DAY_MS, choice)
    choice.fields += [
        FeatureField(FeatureSource.AUDIENCE, (str(audience),), FeatureReading.MEMBER)
        for audience in candidates.audiences
        if f"audience.{audience}" not in candidates.hidden
    ]
    return choice


def _open_fields(candidates: Candidates, sample: Sequence[Subject]) -> Iterable[FeatureField]:
    """Yields the fields that may be chosen, their ranges still to be found."""
    for path, kind in sorted(candidates.attributes.items()):
        keys = split_path(path)
        if f"attribute.{keys[0]}" not in candidates.hidden:
            yield _attribute(keys, kind, sample)
    for name in sorted({name for subject in sample for name in subject.dimensions}):
        if f"dimension.{name}" not in candidates.hidden:
            one = FeatureField(FeatureSource.DIMENSION, (name,), FeatureReading.CATEGORY)
            yield _read_as(one, _reading_seen(one, sample))
    for pixel in candidates.pixels:
        if f"pixel.{pixel}" not in candidates.hidden:
            for measure, reading in MEASURES.items():
                yield FeatureField(FeatureSource.PIXEL, (str(pixel), measure), reading)


def _attribute(keys: tuple[str, ...], kind: AttributeType, sample: Sequence[Subject]) -> FeatureField:
    one = FeatureField(FeatureSource.ATTRIBUTE, keys, FeatureReading.CATEGORY)
    if kind in {"number", "integer"}:
        return _read_as(one, FeatureReading.NUMBER)
    if kind == "time":
        return _read_as(one, FeatureReading.AGE)
    return _read_as(one, _reading_seen(one, sample)) if kind == "mixed" else one


def _reading_seen(one: FeatureField, sample: Sequence[Subject]) -> FeatureReading:
    kinds = Counter(type(value) in (int, float) for value in _scalars(one, sample))
    seen = kinds.total()
    return FeatureReading.NUMBER if seen and kinds[True] >= NUMERIC_SHARE * seen else FeatureReading.CATEGORY


def _decide(one: FeatureField, sample: Sequence[Subject], today: int, choice: FieldChoice) -> None:
    name = join_path(one.keys) if one.source is FeatureSource.ATTRIBUTE else f"{one.source}.{one.keys[0]}"
    if one.reading is FeatureReading.CATEGORY:
        counts = Counter(text_of(value) for value in _scalars(one, sample))
        once = sum(number == 1 for number in counts.values())
        if not counts:
            choice.left_out[name] = "nobody in the sample has it"
        elif counts.total() >= ENOUGH and once > PERSONAL_SHARE * counts.total():
            choice.left_out[name] = "tells persons apart: most of its values occur once"
        else:
            choice.fields.append(one)
        return
    numbers = sorted(number for subject in sample for number in numbers_of(one, subject, today))
    if numbers:
        choice.fields.append(FeatureField(one.source, one.keys, one.reading, _edges(numbers)))
    else:
        choice.left_out[name] = "nobody in the sample has it"


def _edges(numbers: Sequence[float]) -> tuple[float, ...]:
    """Returns where ranges part: a range for each value where they are few, else ranges that hold as many each."""
    distinct = sorted(set(numbers))
    if len(distinct) <= FEW:
        return tuple(distinct[1:])
    picked = {numbers[len(numbers) * part // PARTS] for part in range(1, PARTS)}
    return tuple(sorted(picked - {distinct[0]}))


def _scalars(one: FeatureField, sample: Sequence[Subject]) -> Iterable[object]:
    value_of = values(one)
    for subject in sample:
        value = value_of(subject)
        for element in value if isinstance(value, list) else [value]:
            if text_of(element) is not None:
                yield element


def _read_as(one: FeatureField, reading: FeatureReading) -> FeatureField:
    return FeatureField(one.source, one.keys, reading, one.edges)
