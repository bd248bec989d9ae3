"""F10 to F13: numbers and times are what was sent, or refused; never something near it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from profiles.personal.check_digits import is_card
from tests.support.edge_process import CUSTOMER
from tests.support.field import Field

LONG = 9007199254740993
"""2**53 + 1: the first whole number that no float holds."""

NUMBERS = (st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)).filter(
    lambda number: not is_card(str(int(number)))  # which is hashed, as docs/privacy.md says
)
CHEAP = settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])


def typed(field: Field, type_: str, *paths: str, enabled: bool = True) -> None:
    """Fixes the type of attributes, which may have been seen before, by the API."""
    for path in paths:
        known = field.listed(f"attributes/?customer={CUSTOMER}&path={path}")
        wanted = {"type": type_, "enabled": enabled}
        if known:
            answer = field.change("PATCH", f"attributes/{known[0]['id']}/", wanted)
        else:
            answer = field.change("POST", "attributes/", {"customer": CUSTOMER, "path": path, **wanted})
        assert answer.status in {200, 201}, answer.body
    field.absorb()


def value(field: Field, user: str, name: str) -> Any:
    return field.story(user)["attributes"].get(name)


def matching(field: Field, name: str, operator: str, operand: object) -> int:
    """Returns how many users the API finds for a rule of one condition."""
    rule = {"combinator": "and", "rules": [{"field": f"attribute.{name}", "operator": operator, "value": operand}]}
    answer = field.change("POST", "audiences/estimate/", {"customer": CUSTOMER, "rule": rule})
    assert answer.status == 200, answer.body
    return int(answer.body["estimate"])


def test_f10__long_text_of_an_integer__is_exact_and_so_are_rules_about_it(field: Field) -> None:
    typed(field, "integer", "f10")
    sent = [str(LONG), f" {LONG} ", f"{LONG}.0", LONG, float(2**53)]
    users = [field.browser() for _ in sent]
    for user, one in zip(users, sent, strict=True):
        field.send(user, {"f10": one})
    field.absorb()

    assert [value(field, user, "f10") for user in users] == [LONG] * 4 + [2**53]
    assert matching(field, "f10", "=", LONG) == 4
    assert matching(field, "f10", ">", 2**53) == 4
    assert matching(field, "f10", "in", [LONG - 1]) == 1


def test_f11__text_that_was_retyped__is_as_it_came_once_the_type_is_the_former(field: Field) -> None:
    sent = [str(LONG), "007", "12.50", "1e3", "plenty", 12.5, LONG, True, ["1", "02"], "2024-03-09", 1710010112345]
    users = [field.browser() for _ in sent]
    typed(field, "mixed", "f11", "in.f11")
    for user, one in zip(users, sent, strict=True):
        field.send(user, {"f11": one, "in": {"f11": one}})
    field.absorb()

    seen = {}
    for type_ in ("integer", "time", "mixed"):
        typed(field, type_, "f11", "in.f11")
        stories = [field.story(user)["attributes"] for user in users]
        seen[type_] = [story["f11"] for story in stories]
        assert [story["in"]["f11"] for story in stories] == seen[type_]

    assert seen["mixed"] == sent
    assert seen["integer"][:6] == [LONG, 7, "12.50", 1000, "plenty", 12.5]
    assert seen["time"][-2:] == [datetime(2024, 3, 9, tzinfo=UTC).timestamp(), 1710010112.345]


def test_f11__text_that_came_while_the_type_was_fixed__is_as_it_came_once_nothing_is_converted(field: Field) -> None:
    user, other = field.browser(), field.browser()
    typed(field, "integer", "f11_typed")
    field.send(user, {"f11_typed": "007", "in": {"f11_typed": "007"}})
    field.send(user, {"UserId": "F11"})
    field.send(other, {"UserId": "F11"})
    field.absorb()
    assert value(field, other, "f11_typed") == 7

    typed(field, "integer", "f11_typed", enabled=False)

    assert value(field, other, "f11_typed") == "007"
    field.send(other, {"f11_typed": "8"})
    typed(field, "integer", "f11_typed")
    assert value(field, user, "f11_typed") == 8


@pytest.mark.parametrize("number", [2**64, 2**64 + 1, -(2**63) - 1, 10**30])
def test_f12__integer_beyond_64_bits__is_refused_and_not_rounded(field: Field, number: int) -> None:
    for data in ({"f12": number}, {"a": [{"f12": number}]}):
        assert field.send(field.browser(), data).name == "bad-data"
        answer = field.send_batch([{"uuid": field.browser(), "data": data}])
        assert [error["status"] for error in answer["errors"]] == ["bad-data"]


@pytest.mark.parametrize("text", ["1e400", "-1e400", "1e-400", "NaN", "Infinity", "-Infinity", "01", "1_000", "+1"])
def test_f12__number_that_no_number_of_json_is__is_refused(field: Field, text: str) -> None:
    raw = f'{{"f12": {text}}}'
    assert field.send_raw(field.browser(), raw).name == "bad-data"
    answer = field.send_batch([f'{{"uuid": "{field.browser()}", "data": {raw}}}'])
    assert [error["status"] for error in answer["errors"]] in (["bad-data"], ["bad-line"])


@CHEAP
@given(st.lists(NUMBERS, min_size=1, max_size=12))
def test_f12__numbers_that_are_accepted__read_back_as_themselves(field: Field, numbers: list[Any]) -> None:
    user, other = field.browser(), field.browser()
    data = {f"f12_{place}": number for place, number in enumerate(numbers)}
    assert field.send(user, {**data, "f12": numbers}).name == "accepted"
    assert field.send_batch([{"uuid": other, "data": data}])["accepted"] == 1
    field.absorb()

    for known in (user, other):
        story = field.story(known)["attributes"]
        for name, number in data.items():
            assert story[name] == number
            assert type(number) is float or type(story[name]) is int
    assert field.story(user)["attributes"]["f12"] == numbers


@pytest.mark.parametrize(
    ("text", "number"),
    [("1e18", 10**18), (f"{LONG}.0", LONG), ("-0.0", 0), ("-0", 0), ("1E2", 100), ("1e300", 1e300), ("0e-999", 0)],
)
def test_f12__whole_number_with_a_point_or_an_exponent__is_that_number(field: Field, text: str, number: float) -> None:
    user = field.browser()
    field.send_raw(user, f'{{"f12_text": {text}}}')
    field.absorb()

    assert (value(field, user, "f12_text"), type(value(field, user, "f12_text"))) == (number, type(number))


def test_f13__moment_in_milliseconds_or_finer__is_that_moment(field: Field) -> None:
    typed(field, "time", "f13")
    yesterday = int((datetime.now(UTC) - timedelta(days=1)).timestamp() * 1000)
    sent = [yesterday, str(yesterday), yesterday * 1000, yesterday * 1_000_000, yesterday / 1000, "1710010112345"]
    users = [field.browser() for _ in sent]
    for user, one in zip(users, sent, strict=True):
        field.send(user, {"f13": one})
    field.absorb()

    assert [value(field, user, "f13") for user in users] == [yesterday / 1000] * 5 + [1710010112.345]
    assert matching(field, "f13", "withinLast", "P2D") == 5
    assert matching(field, "f13", ">=", yesterday) == 5
    assert matching(field, "f13", "=", 1710010112345) == 1


def test_f13__moment_that_names_no_zone__is_in_the_customers_zone(field: Field) -> None:
    typed(field, "time", "f13_zone")
    sent = ["2024-03-09", "2024-03-09 12:00", "2024-03-09T12:00:00Z"]
    users = [field.browser() for _ in sent]
    for user, one in zip(users, sent, strict=True):
        field.send(user, {"f13_zone": one})
    field.absorb()
    utc = [value(field, user, "f13_zone") for user in users]

    field.change("PATCH", f"customers/{CUSTOMER}/", {"time_zone": "Europe/Berlin"})
    field.absorb()
    berlin = [value(field, user, "f13_zone") for user in users]
    field.change("PATCH", f"customers/{CUSTOMER}/", {"time_zone": "UTC"})

    assert utc == [1709942400, 1709985600, 1709985600]
    assert berlin == [utc[0] - 3600, utc[1] - 3600, utc[2]]


@pytest.mark.parametrize("text", ["20240309120000", "2024-02-30", "09.03.2024", "1e25", "soon"])
def test_f13__moment_that_could_be_another__is_kept_as_a_bad_row(field: Field, text: str) -> None:
    typed(field, "time", "f13_bad")
    user = field.browser()
    field.send(user, {"f13_bad": text, "City": "Rome"})
    field.absorb()

    assert field.story(user)["attributes"] == {"City": "Rome"}
    rows = field.listed(f"bad-rows/?customer={CUSTOMER}")
    assert any(text in (row["body"] or "") for row in rows)
