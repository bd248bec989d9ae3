"""The small parts: numbers, durations, timestamps, paths, dependencies, sentences, table names."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiences.rules.dependencies import dependencies
from audiences.rules.render import render
from audiences.rules.sql import SqlTables, to_sql
from audiences.rules.values import canonical_number, exact, parse_duration, parse_timestamp, seconds_text, seconds_to_ms
from profiles.paths import join_path, split_path
from tests.audiences.rules.strategies import numbers
from tests.audiences.rules.world import NOW, NOW_S, group, parsed, rule


@given(numbers, numbers)
def test_numbers__two_canonical_ones__compare_as_the_decimals_they_write(a: float, b: float) -> None:
    assert (exact(a) < exact(b)) is (Decimal(repr(a)) < Decimal(repr(b)))
    assert (exact(a) == exact(b)) is (Decimal(repr(a)) == Decimal(repr(b)))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), 2**64, -(2**63) - 1])
def test_canonical_number__no_64_bit_number__is_refused(value: float) -> None:
    with pytest.raises(ValueError, match=r"64 bits|finite"):
        canonical_number(value)


@pytest.mark.parametrize(
    ("value", "form"),
    [
        (-0.0, "0"),
        (3.0, "3"),
        (-(2.0**63), str(-(2**63))),
        (2.0**63, str(2**63)),
        (2**64 - 1, "18446744073709551615"),
        (2.0**64, "1.8446744073709552e+19"),
    ],
)
def test_canonical_number__integral_one__is_an_int_where_it_fits_64_bits_and_a_float_beyond(
    value: float, form: str
) -> None:
    assert repr(canonical_number(value)) == form


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("PT30M", 1_800_000),
        ("P3D", 259_200_000),
        ("P1W", 604_800_000),
        ("P1W1DT1H1M1S", 604_800_000 + 86_400_000 + 3_661_000),
        ("PT1.5H", 5_400_000),
        ("PT0,5S", 500),
        ("P366D", 366 * 86_400_000),
    ],
)
def test_duration__weeks_to_seconds__are_milliseconds(text: str, length: int) -> None:
    assert parse_duration(text) == length


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2024-02-29", NOW_S),
        ("2024-02-29T00:00:00Z", NOW_S),
        ("2024-02-29 00:00", NOW_S),
        ("2024-03-31T03:00:00+02:00", 1_711_846_800),
        ("2024-02-29T00:00:00.5Z", NOW_S + 0.5),
        ("1969-12-31T23:59:59Z", -1),
    ],
)
def test_timestamp__iso_8601__is_unix_seconds(text: str, seconds: float) -> None:
    assert parse_timestamp(text) == seconds


@given(st.integers(-(10**15), 10**15))
def test_moments__milliseconds_as_seconds__come_back_exactly(moment: int) -> None:
    assert Decimal(seconds_text(moment)) * 1000 == moment
    assert seconds_to_ms(canonical_number(float(Decimal(moment) / 1000))) == moment


@given(st.lists(st.text(st.sampled_from("ab.\\é\n"), min_size=1), min_size=1))
def test_path__any_keys__come_back(keys: list[str]) -> None:
    assert split_path(join_path(keys)) == tuple(keys)


@pytest.mark.parametrize("path", ["", ".", "a.", ".a", "a..b", "a\\", "a\\b"])
def test_path__empty_key_or_stray_backslash__is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="keys"):
        split_path(path)


def test_dependencies__every_field__is_named_by_its_top_level_key() -> None:
    found = dependencies(
        parsed(
            rule("attribute.deep.er.any", "null"),
            rule(r"attribute.dot\.ted", "null"),
            rule("attribute.at", "withinLast", "P1D"),
            group(
                rule("dimension.cpid", "=", 1),
                rule("pixel.12.count", "=", 1),
                rule("pixel.1.last", "withinLast", "P1D"),
            ),
            rule("audience", "in", [3, 4]),
            rule("platform", "notIn", 5),
        )
    )
    assert found == {
        *("attribute.deep", "attribute.dot.ted", "attribute.at", "dimension.cpid"),
        *("pixel.12", "pixel.1", "audience.3", "audience.4", "platform.5"),
    }


SENTENCES = [
    (
        [rule("pixel.12.count", ">=", 3, days=30), rule("attribute.text", "=", "1")],
        'pixel 12 at least 3 times in the last 30 days and attribute text is "1"',
    ),
    ([rule("pixel.1.count", "=", 1, days=1)], "pixel 1 exactly 1 time today"),
    ([rule("pixel.1.count", "between", [2, 5])], "pixel 1 between 2 and 5 times"),
    (
        [rule("pixel.1.last", "notWithinLast", "P1DT2H")],
        "pixel 1 last seen not within the last 1 day 2 hours",
    ),
    ([rule("attribute.at", "withinNext", "PT90S")], "attribute at is within the next 1 minute 30 seconds"),
    ([rule("attribute.at", ">=", "2024-02-29")], "attribute at is at or after 2024-02-29T00:00:00Z"),
    ([rule("attribute.at", "<", 10**10 * 9)], "attribute at is before 4821-12-26T16:00:00Z"),
    ([rule("attribute.at", "<", 1_000_000_000_500)], "attribute at is before 2001-09-09T01:46:40.500000Z"),
    ([rule("attribute.any", "in", ["é", 1, True])], 'attribute any is "é", 1 or true'),
    ([rule("attribute.number", "notBetween", [1, 2])], "attribute number is not between 1 and 2"),
    ([rule("dimension.cpid", "null")], "dimension cpid is unknown"),
    ([rule("audience", "notIn", [3, 4])], "not in audience 3 or 4"),
    ([rule("platform", "in", 5)], "known on platform 5"),
    (
        [
            rule("platform", "in", 5),
            group(rule("audience", "in", 3), rule("audience", "in", 4), combinator="or"),
            group(rule("attribute.flag", "=", True), rule("attribute.flag", "notNull"), negated=True),
        ],
        (
            "known on platform 5 and (in audience 3 or in audience 4) and "
            "not (attribute flag is true and attribute flag is known)"
        ),
    ),
]


@pytest.mark.parametrize(("rules", "sentence"), SENTENCES)
def test_render__rule__is_a_sentence(rules: list[object], sentence: str) -> None:
    assert render(parsed(*rules)) == sentence


def test_render__names__stand_for_paths_and_ids() -> None:
    names = {"pixel.12": "Checkout", "attribute.deep.text": "City", "audience.3": "Lapsed"}
    rules = [rule("pixel.12.count", ">", 1), rule("attribute.deep.text", "=", "x"), rule("audience", "in", 3)]
    assert (
        render(parsed(*rules), names)
        == 'pixel Checkout more than 1 time and attribute City is "x" and in audience Lapsed'
    )


def test_sql__a_users_text__is_bound_and_never_part_of_the_statement() -> None:
    evil = "x' OR 1=1 --"
    tables = SqlTables("membership", "user_mapping")
    rules = [rule("attribute.any", name, evil) for name in ("=", "<", "contains", "beginsWith", "endsWith")]
    text, values = to_sql(parsed(*rules, rule("attribute.any", "in", [evil])), now_ms=NOW, tables=tables)
    assert "OR 1=1" not in text
    assert text.count("%s") == len(values)


@pytest.mark.parametrize("operator", ["<", "<=", ">", ">="])
def test_sql__order_of_text__is_by_code_point_whatever_the_databases_collation(operator: str) -> None:
    tables = SqlTables("membership", "user_mapping")
    text, _ = to_sql(parsed(rule("attribute.text", operator, "x")), now_ms=NOW, tables=tables)
    assert text.count(f'COLLATE "C" {operator} %s') == 2


@pytest.mark.parametrize("name", ["", "a b", "a;b", 'a"', "A", "a.b.c", "a\n"])
def test_sql__table_name_that_is_none__is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="plain table name"):
        SqlTables(name, "user_mapping")
