"""Which fields are of use, which may be used, and how many are to be reached."""

import math
from typing import Any

import numpy as np
import pytest

from audiences.rules.dependencies import AudienceDependencies, is_built_on_lookalike
from audiences.rules.subject import PlainSubject
from lookalikes.jobs.scope import dependencies_of_seed, usable_audiences
from lookalikes.scoring.fields import FeatureField, FeatureReading, FeatureSource
from lookalikes.scoring.reach import Reach, read_reach
from lookalikes.training.choosing import Candidates, choose_fields
from lookalikes.training.figures import drift, threshold_of
from lookalikes.training.influences import category_in_words, member_in_words, range_in_words

NOW = 1_700_000_000_000


def people(count: int = 200) -> list[PlainSubject]:
    return [
        PlainSubject({"id": f"u{n}", "city": f"c{n % 4}", "age": n, "kids": n % 3, "code": n % 7}, {"_os": f"o{n % 2}"})
        for n in range(count)
    ]


def test_fields__that_tell_persons_apart__are_left_out() -> None:
    choice = choose_fields(Candidates({"id": "string", "city": "string", "gone": "string"}, [], []), people(), NOW)
    assert {field.dependency for field in choice.fields} == {"attribute.city", "dimension._os"}
    assert "persons apart" in choice.left_out["id"]
    assert "nobody" in choice.left_out["gone"]


def test_numbers__are_parted_by_quantiles_or_value_by_value() -> None:
    choice = choose_fields(Candidates({"age": "integer", "kids": "integer", "code": "mixed"}, [], []), people(), NOW)
    edges = {field.dependency: field.edges for field in choice.fields}
    assert list(edges["attribute.age"]) == list(range(20, 200, 20))
    assert list(edges["attribute.kids"]) == [1, 2]
    assert list(edges["attribute.code"]) == [1, 2, 3, 4, 5, 6]


def test_hidden__attributes_dimensions_pixels_and_audiences__are_no_fields() -> None:
    hidden = frozenset({"attribute.city", "dimension._os", "pixel.1", "audience.5"})
    choice = choose_fields(Candidates({"city": "string"}, [1], [5], hidden), people(), NOW)
    assert not choice.fields


RULE = AudienceDependencies(frozenset({"attribute.keen"}), frozenset())
AUDIENCES = {
    1: RULE,  # the seed asks 2
    2: AudienceDependencies(frozenset({"pixel.7"}), frozenset()),
    3: AudienceDependencies(frozenset({"audience.1"}), frozenset({1})),  # follows from the seed
    4: AudienceDependencies(frozenset({"pixel.7", "dimension._os"}), frozenset()),  # decides by the same pixel
    5: AudienceDependencies(frozenset(), frozenset({1}), is_lookalike=True),
    6: AudienceDependencies(frozenset({"audience.5"}), frozenset({5})),  # stands on a lookalike
    7: AudienceDependencies(frozenset({"attribute.faith"}), frozenset()),
    8: AudienceDependencies(frozenset({"attribute.city"}), frozenset()),
} | {1: AudienceDependencies(frozenset({"attribute.keen", "audience.2"}), frozenset({2}))}


def test_what_defines_the_seed__is_followed_through_audiences() -> None:
    assert dependencies_of_seed(1, AUDIENCES) == {"attribute.keen", "audience.2", "pixel.7", "audience.1"}


def test_memberships__that_would_give_the_answer_away__are_not_used() -> None:
    usable, excluded = usable_audiences(1, AUDIENCES, {"attribute.faith"})
    assert usable == [8]
    assert excluded.keys() == {1, 2, 3, 4, 5, 6, 7}
    assert excluded[6] == "has a lookalike beneath it"
    assert "sensitive" in excluded[7]


def test_lookalike_beneath__is_found_at_any_depth() -> None:
    assert [one for one in AUDIENCES if is_built_on_lookalike(one, AUDIENCES)] == [5, 6]


@pytest.mark.parametrize("good", [{"percent": 1}, {"percent": 20}, {"percent": 2.5}, {"people": 1}])
def test_reach__is_read(good: dict[str, Any]) -> None:
    assert read_reach(good) == Reach(**good)


@pytest.mark.parametrize(
    "bad",
    [
        None,
        5,
        {},
        {"percent": 0.5},
        {"percent": 21},
        {"percent": True},
        {"people": 0},
        {"people": 1.5},
        {"percent": 5, "people": 5},
        {"percent": "5"},
        {"share": 5},
        {"percent": math.nan},
    ],
)
def test_reach__that_means_nothing__is_refused(bad: Any) -> None:
    with pytest.raises(ValueError, match="percent"):
        read_reach(bad)


def test_threshold__keeps_people_of_one_score_together_and_is_nearest() -> None:
    scores = np.array([9.0, 5.0, 5.0, 5.0, 5.0, 1.0])
    assert threshold_of(scores, 1) == 9.0
    assert threshold_of(scores, 2) == 9.0  # one is nearer than five
    assert threshold_of(scores, 4) == 5.0
    assert threshold_of(scores, 6) == 1.0
    assert threshold_of(np.zeros(0), 3) == math.inf


def test_drift__of_the_same_spread__is_none() -> None:
    assert drift([0.5, 0.5], [0.5, 0.5]) == 0.0
    assert drift([0.5, 0.5], [0.9, 0.1]) > 0.25


def test_words__say_what_a_feature_means() -> None:
    names = {"attribute.address.city": "City", "pixel.7": "Web shop", "audience.3": "Buyers"}
    city = FeatureField(FeatureSource.ATTRIBUTE, ("address", "city"), FeatureReading.CATEGORY)
    last = FeatureField(FeatureSource.PIXEL, ("7", "last"), FeatureReading.AGE, (1, 7))
    total = FeatureField(FeatureSource.PIXEL, ("7", "total"), FeatureReading.NUMBER, (2, 3))
    spent = FeatureField(FeatureSource.ATTRIBUTE, ("spent",), FeatureReading.NUMBER, (9.5, 20))
    assert category_in_words(city, "sBerlin", names) == "City is Berlin"
    assert [range_in_words(last, n, names) for n in range(3)] == [
        "last seen on Web shop up to 0 days ago",
        "last seen on Web shop 1 to 6 days ago",
        "last seen on Web shop 7 or more days ago",
    ]
    assert range_in_words(total, 1, names) == "events on Web shop: 2"
    assert range_in_words(spent, 1, names) == "spent: 9.5 to below 20"
    assert (
        member_in_words(FeatureField(FeatureSource.AUDIENCE, ("3",), FeatureReading.MEMBER), names)
        == "in audience Buyers"
    )
