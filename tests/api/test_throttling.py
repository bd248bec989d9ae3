"""How many requests a key may make, and what it is told of that; and what becomes of keys that do not exist."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import redis
from django.conf import settings as django_settings

from api import throttling
from api.throttling import FAILURES, PREFIX
from core.models import ApiKey, Customer
from tests.support.api_caller import Answer, Caller, caller

POLICY = re.compile(r'"(key|failures)";q=([0-9]+);w=60')
LIMIT = re.compile(r'"(key|failures)";r=([0-9]+);t=([0-9]+)')


@pytest.fixture(autouse=True)
def _counters(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A minute that does not end, and nothing counted yet."""
    monkeypatch.setattr("api.throttling.time.time", lambda: 1_000_000_010.0)
    throttling.counter.cache_clear()
    _forget()
    yield
    throttling.counter.cache_clear()
    _forget()


def _forget() -> None:
    database = redis.Redis.from_url(django_settings.REDIS_URL)
    for name in database.scan_iter(PREFIX + "*"):
        database.delete(name)


@pytest.fixture
def few(settings: Any) -> None:
    settings.CUSTOMER_LIMITS = replace(settings.CUSTOMER_LIMITS, requests_per_minute=3)


def left(answer: Answer) -> tuple[str, int, int]:
    """The policy, its quota, and what is left of it."""
    policy, limit = POLICY.fullmatch(answer.headers["RateLimit-Policy"]), LIMIT.fullmatch(answer.headers["RateLimit"])
    assert policy
    assert limit
    assert policy[1] == limit[1]
    assert 0 < int(limit[3]) <= 60
    return policy[1], int(policy[2]), int(limit[2])


@pytest.mark.usefixtures("few")
def test_key__over_its_quota__is_told_when_to_come_again__and_others_are_not(admin: Caller) -> None:
    other = caller(ApiKey.Role.ANALYST)
    answers = [admin.get("customers/") for _ in range(5)]
    assert [answer.status for answer in answers] == [200, 200, 200, 429, 429]
    assert [left(answer) for answer in answers] == [("key", 3, count) for count in (2, 1, 0, 0, 0)]
    assert answers[3].places == [(None, "throttled")]
    assert answers[3].headers["Retry-After"] == str(60 - 1_000_000_010 % 60)
    assert other.get("customers/").status == 200


@pytest.mark.usefixtures("few")
def test_key__whatever_it_asks_for__is_told_what_is_left(shop: Customer) -> None:
    analyst = caller(ApiKey.Role.ANALYST, shop)
    for address, status, count in (("customers/99/", 404, 2), ("nowhere/", 404, 1)):
        answer = analyst.get(address)
        assert (answer.status, left(answer)) == (status, ("key", 3, count))
    refused = analyst.post("customers/", {"name": "x"})
    assert (refused.status, left(refused)) == (403, ("key", 3, 0))


@pytest.mark.usefixtures("few")
def test_key_of_a_customer_with_limits_of_its_own__has_its_quota(shop: Customer) -> None:
    shop.limits = {"requests_per_minute": 5}
    shop.save()
    assert left(caller(ApiKey.Role.ADMIN, shop).get("customers/")) == ("key", 5, 4)


def test_wrong_keys__of_one_address__are_told_to_wait__and_right_ones_are_not(admin: Caller) -> None:
    answers = [Caller(f"wrong{number}.key").get("customers/") for number in range(FAILURES + 2)]
    assert [answer.status for answer in answers] == [401] * FAILURES + [429] * 2
    assert left(answers[0]) == ("failures", FAILURES, FAILURES - 1)
    assert int(answers[-1].headers["Retry-After"]) > 0
    assert admin.get("customers/").status == 200


@pytest.mark.usefixtures("few")
def test_redis_away__every_request_passes(admin: Caller, settings: Any, tmp_path: Any) -> None:
    settings.REDIS_URL = f"unix://{tmp_path}/nobody.sock"
    answers = [admin.get("customers/") for _ in range(5)]
    assert [answer.status for answer in answers] == [200] * 5
    assert left(answers[-1]) == ("key", 3, 3)


def test_limits_of_a_customer__are_changed_by_who_sees_all_customers_alone(admin: Caller, shop: Customer) -> None:
    given = {"events_per_second": 10, "estimates": 1}
    assert admin.patch("customers/1/", {"limits": given}).body["limits"] == given
    wrong_ones: list[Any] = [{"events": 1}, {"estimates": 0}, {"estimates": "1"}, {"estimates": True}, [], None]
    for wrong in wrong_ones:
        assert admin.patch("customers/1/", {"limits": wrong}).status == 400
    assert caller(ApiKey.Role.ADMIN, shop).patch("customers/1/", {"limits": {}}).status == 403
    assert caller(ApiKey.Role.ADMIN, shop).patch("customers/1/", {"name": "Mine"}).body["limits"] == given
