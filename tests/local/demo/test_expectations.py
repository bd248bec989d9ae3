"""What should be held, and what counts as exact."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from local.demo.platforms import Visitor
from local.demo.purchases import DAY_SECONDS, Purchase
from local.demo.verdict import Expected, expected_at, histories_of, verdict

NOW = int(datetime(2026, 3, 10, tzinfo=UTC).timestamp())
BROWSER = Visitor(UUID(int=1, version=4), 1, 0, {"northwind-ads": "nw-1", "contoso-social": "cs-1"})


def expected_of(*purchases: tuple[float, int], at: float = NOW) -> Expected:
    """One visiting customer's purchases, as (days ago, cents)."""
    made = [Purchase("00001", int(NOW - days * DAY_SECONDS), 1, cents) for days, cents in purchases]
    return expected_at(histories_of(made), {"00001": BROWSER}, at)


def audiences_of(expected: Expected) -> set[str]:
    return {name for name, size in expected.sizes.items() if size}


@pytest.mark.parametrize(
    ("purchases", "audiences"),
    [
        ([(59.9, 100)], {"Recent buyers"}),
        ([(60, 100)], set()),
        ([(179.9, 100)], set()),
        ([(180, 100)], {"Lapsed"}),
        ([(400, 24_999)], {"Lapsed"}),
        ([(400, 24_999), (1, 1)], {"Recent buyers", "Big spenders"}),
    ],
)
def test_expected_at__purchases__put_the_customer_where_the_rules_say(
    purchases: list[tuple[float, int]], audiences: set[str]
) -> None:
    expected = expected_of(*purchases)

    assert audiences_of(expected) == audiences
    assert {name for (_, name), ids in expected.held.items() if ids} == audiences
    assert expected.held["northwind-ads", "Lapsed"] == ({"nw-1"} if "Lapsed" in audiences else set())


def test_expected_at__a_later_moment__windows_have_ended() -> None:
    assert audiences_of(expected_of((59.9, 100), at=NOW + DAY_SECONDS)) == set()


def test_expected_at__a_customer_without_browser__counts_but_is_on_no_platform() -> None:
    expected = expected_at(histories_of([Purchase("00002", NOW, 1, 100)]), {}, NOW)

    assert expected.sizes["Recent buyers"] == 1
    assert not any(expected.held.values())


def test_verdict__exactly_what_is_expected__is_exact() -> None:
    expected = expected_of((1, 30_000))

    assert verdict(expected, expected.held, expected.sizes).exact


@pytest.mark.parametrize("members", [set(), {"nw-1", "nw-2"}])
def test_verdict__a_member_missing_or_too_many__is_not_exact_and_says_where(members: set[str]) -> None:
    expected = expected_of((1, 30_000))

    found = verdict(expected, expected.held | {("northwind-ads", "Big spenders"): members}, expected.sizes)

    assert not found.exact
    assert [line.audience for line in found.lines if not line.exact] == ["Big spenders"]
    assert "Northwind Ads" in found.faults()[0]


def test_verdict__another_size_in_the_hub__is_not_exact() -> None:
    expected = expected_of((1, 100))

    assert not verdict(expected, expected.held, expected.sizes | {"Recent buyers": 2}).exact
