"""Conversions: exact, from what came, and back to it."""

import json
import uuid
from collections.abc import Mapping
from datetime import UTC
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.json_values import canonical, loads, same
from core.per_customer import Outdated, PerCustomer
from profiles.conversion import Conversions, CustomerConversions, UnconvertibleError, convert
from profiles.messages import Content, MergeCause
from profiles.origins import LONGEST_ORIGIN, origins_in
from profiles.paths import split_path
from profiles.state import ProfileState

TYPES = ["string", "number", "integer", "boolean", "time"]
PATHS = ["a", "in.a", r"in.b\.c"]
NUMBERS = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False).map(canonical)
TEXTS = (
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=8)
    | NUMBERS.map(str)
    | st.sampled_from(["007", " 12 ", "12.50", "1e3", "TRUE", "yes", "0", "2024-03-09", "2024-03-09T12:00+01:00"])
    | st.integers(10**11, 10**13).map(str)
)
SCALARS = NUMBERS | TEXTS | st.booleans()
VALUES = SCALARS | st.lists(SCALARS | st.none(), min_size=1, max_size=4)
CHOSEN = st.dictionaries(st.sampled_from(PATHS), st.sampled_from(TYPES))


def conversions(types: Mapping[str, str], zone: Any = UTC) -> Conversions:
    typed = [(path, list(split_path(path)), type_) for path, type_ in sorted(types.items())]
    return Conversions(PerCustomer({1: CustomerConversions(typed, zone=zone)}, CustomerConversions(), {}, Outdated()))


def profile(at: int = 1) -> ProfileState:
    return ProfileState(bucket=0, customer=1, user_id=uuid.UUID(int=at), created_at=at)


def stored(state: ProfileState) -> None:
    """As if the profile had been saved and loaded."""
    state.attributes, state.times = loads(json.dumps(state.attributes)), json.loads(json.dumps(state.times))


@given(VALUES, VALUES, VALUES, st.lists(CHOSEN, max_size=4), st.booleans())
def test_types__however_they_change__end_with_what_came(
    one: Any, other: Any, third: Any, chosen: list[dict[str, str]], merged: bool
) -> None:
    came = {"a": one, "in": {"a": other, "b.c": third}}
    data = loads(json.dumps(came))
    state = profile()
    refused, origins = conversions(chosen[0] if chosen else {}).apply(1, data)
    state.set_attributes(data, 5, 6, origins)
    for types in chosen[1:]:
        stored(state)
        conversions(types).convert_kept(1, state.attributes, state.times)
    if merged:
        content = Content(
            customer=1,
            winner="",
            loser="",
            attributes=state.attributes,
            times=state.times,
            cause=MergeCause("", ""),
            at=9,
        )
        state = profile(2)
        state.take_over(content)
    stored(state)
    conversions({}).convert_kept(1, state.attributes, state.times)

    for path in refused:
        *above, last = split_path(path)
        del (came["in"] if above else came)[last]
    assert same(state.attributes, {name: value for name, value in came.items() if value != {}} | _empty_in(state))
    assert origins_in(state.times) == {}


def _empty_in(state: ProfileState) -> dict[str, Any]:
    return {"in": {}} if state.attributes.get("in") == {} else {}


@given(VALUES, CHOSEN, CHOSEN)
def test_type__that_is_set_later__gives_what_it_would_have_given_at_once(
    value: Any, first: dict[str, str], then: dict[str, str]
) -> None:
    later, at_once = profile(), profile()
    for state, types in ((later, first), (at_once, {})):
        data = {"a": loads(json.dumps(value))}
        refused, origins = conversions(types).apply(1, data)
        if "a" in refused:
            return
        state.set_attributes(data, 5, 5, origins)
    for state in (later, at_once):
        conversions(then).convert_kept(1, state.attributes, state.times)

    assert same(later.attributes, at_once.attributes)
    assert later.times == at_once.times


@given(VALUES, st.sampled_from(TYPES))
def test_conversion__that_is_done__is_exact_and_changes_nothing_when_it_is_done_again(value: Any, type_: str) -> None:
    try:
        found = convert(value, type_)
    except UnconvertibleError:
        return
    assert type_ == "time" or same(convert(found, type_), found)
    if type_ == "integer" and isinstance(value, str):
        assert Decimal(value.strip()) == found


def test_newer_value__has_no_origin_of_the_older_one() -> None:
    state, typed = profile(), conversions({"a": "integer"})
    for at, value in ((1, "007"), (2, 8)):
        data = {"a": value}
        _, origins = typed.apply(1, data)
        state.set_attributes(data, at, at, origins)
    assert state.times == {"a:a": 2}
    _, origins = typed.apply(1, data := {"a": "009"})
    state.set_attributes(data, 1, 1, origins)
    assert (state.attributes, state.times) == ({"a": 8}, {"a:a": 2})


def test_zone__that_is_changed__is_that_of_times_that_name_none() -> None:
    state = profile()
    data: dict[str, Any] = {"a": ["2024-03-09", "2024-03-09T00:00Z", 5]}
    _, origins = conversions({"a": "time"}).apply(1, data)
    state.set_attributes(data, 1, 1, origins)
    berlin = conversions({"a": "time"}, ZoneInfo("Europe/Berlin"))
    assert state.attributes == {"a": [1709942400, 1709942400, 5]}
    assert berlin.convert_kept(1, state.attributes, state.times) == {"a"}
    assert state.attributes == {"a": [1709938800, 1709942400, 5]}


@pytest.mark.parametrize("blanks", [400, LONGEST_ORIGIN])
def test_value__that_would_have_to_be_kept_at_length__is_not_converted(blanks: int) -> None:
    with pytest.raises(UnconvertibleError):
        convert(" " * blanks + "1", "integer")
    data: dict[str, Any] = {"a": ["0" * 300 + "1"] * 100}
    assert conversions({"a": "integer"}).apply(1, data) == (["a"], {})
    assert data == {}
