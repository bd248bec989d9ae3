"""One profile, one score: for an event, in bulk, and in whatever order its features are added up."""

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from audiences.rules.subject import PlainSubject
from lookalikes.scoring.fields import SLOTS, FeatureField, FeatureReading, FeatureSource
from lookalikes.scoring.model import GRAIN, LARGEST, LinearModel, decode_model, encode_model, exact, scorer
from lookalikes.scoring.reader import DAY_MS, reader
from lookalikes.training.feature_rows import FeatureRows, score_all

NOW = 20_000 * DAY_MS + 12_345_678
FIELDS = (
    FeatureField(FeatureSource.ATTRIBUTE, ("city",), FeatureReading.CATEGORY),
    FeatureField(FeatureSource.ATTRIBUTE, ("likes",), FeatureReading.CATEGORY),
    FeatureField(FeatureSource.ATTRIBUTE, ("address", "zip"), FeatureReading.CATEGORY),
    FeatureField(FeatureSource.ATTRIBUTE, ("age",), FeatureReading.NUMBER, (18, 30.5, 65)),
    FeatureField(FeatureSource.ATTRIBUTE, ("born",), FeatureReading.AGE, (0, 365, 9_000)),
    FeatureField(FeatureSource.DIMENSION, ("_geo_c",), FeatureReading.CATEGORY),
    FeatureField(FeatureSource.PIXEL, ("7", "total"), FeatureReading.NUMBER, (2, 5)),
    FeatureField(FeatureSource.PIXEL, ("7", "days"), FeatureReading.NUMBER, (2,)),
    FeatureField(FeatureSource.PIXEL, ("7", "last"), FeatureReading.AGE, (1, 7, 30)),
    FeatureField(FeatureSource.AUDIENCE, ("3",), FeatureReading.MEMBER),
)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.text(max_size=5)
    | st.floats(allow_nan=False, allow_infinity=False)
)
values = scalars | st.lists(scalars, max_size=4) | st.dictionaries(st.text(max_size=3), scalars, max_size=2)
activities = st.integers(0, NOW).flatmap(
    lambda last: st.integers(1, 9).map(lambda n: {"first": last, "last": last, "total": n, "days": {"1": n}})
)
profiles = st.builds(
    PlainSubject,
    st.fixed_dictionaries({}, optional=dict.fromkeys(("city", "likes", "age", "born", "address"), values))
    | st.fixed_dictionaries({"address": st.fixed_dictionaries({"zip": values})}),
    st.fixed_dictionaries({}, optional={"_geo_c": scalars}),
    st.fixed_dictionaries({}, optional={"7": activities}),
    st.sampled_from([(), {3}, {4}]),
)


def model_of(found: list[list[int]], weights: list[float]) -> LinearModel:
    """Every feature that the profiles have gets one of the weights."""
    slots = sorted({slot for row in found for slot in row})
    given_ = [exact(weights[number % len(weights)]) for number in range(len(slots))]
    return LinearModel(
        FIELDS, exact(-1.7), np.array(slots, "<u4").tobytes(), np.array(given_, "<f8").tobytes(), 1.0, 0.0
    )


@settings(max_examples=150, deadline=None)
@given(st.lists(profiles, min_size=1, max_size=5), st.lists(st.floats(-50, 50), min_size=1, max_size=7))
def test_score__of_an_event__is_the_bulk_score(people: list[PlainSubject], weights: list[float]) -> None:
    read, rows = reader(FIELDS), FeatureRows()
    found = [read(person, NOW) for person in people]
    for slots in found:
        rows.add(slots)
    model = decode_model(encode_model(model_of(found, weights)))
    in_bulk = score_all(model, rows)
    score = scorer(model)
    for person, bulk in zip(people, in_bulk, strict=True):
        one = score(person, NOW)
        assert abs(one - bulk) <= 1e-9
        assert one == bulk  # to the last bit: sums of such weights are exact


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=50), st.randoms())
def test_weights__added_in_any_order__give_one_sum(weights: list[float], draw: Any) -> None:
    kept = [exact(weight) for weight in weights]
    assert all(abs(weight) <= LARGEST and (weight / GRAIN).is_integer() for weight in kept)
    total = sum(kept)
    draw.shuffle(kept)
    assert sum(kept) == total


def features(*fields: FeatureField, **known: Any) -> set[int]:
    found = reader(fields)(PlainSubject(known), NOW)
    assert all(0 <= slot < SLOTS for slot in found)
    assert len(set(found)) == len(found)  # what is known twice counts once
    return set(found)


def test_list__is_a_set_of_its_elements() -> None:
    likes = FIELDS[1]
    assert features(likes, likes=["a", "b", "a"]) == features(likes, likes=["b", "a"])
    assert features(likes, likes=["a"]) == features(likes, likes="a")
    assert features(likes, likes=[]) == features(likes, likes={"a": 1}) == set()


def test_values_of_different_kinds__are_different_features() -> None:
    city = FIELDS[0]
    kinds = [features(city, city=value) for value in (1, "1", True, "yes", 1.5)]
    assert all(len(found) == 1 for found in kinds)
    assert len(set.union(*kinds)) == len(kinds)


def test_edge__belongs_to_the_range_above_it() -> None:
    age = FIELDS[3]
    assert features(age, age=18) == features(age, age=30) != features(age, age=17.9)
    assert features(age, age=30.5) != features(age, age=30)


def test_age__turns_at_midnight_and_only_there() -> None:
    born = FeatureField(FeatureSource.ATTRIBUTE, ("born",), FeatureReading.AGE, (1,))
    read, today = reader([born]), NOW // DAY_MS
    person = PlainSubject({"born": today * 86_400 + 86_399})
    young = read(person, today * DAY_MS)
    assert read(person, (today + 1) * DAY_MS - 1) == young
    assert read(person, (today + 1) * DAY_MS) != young
