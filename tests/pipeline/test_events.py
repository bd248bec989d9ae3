"""Events become profiles."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.db import OperationalError

from core import buckets
from core.models import Inbox
from pipeline import catalogue
from profiles import attribute_sampling
from profiles.models import Attribute, AttributeStatistics, Profile
from tests.support.shop import DAY, Shop, now_ms, somebody


def test_event__of_a_new_user__makes_a_profile_in_the_users_bucket(shop: Shop) -> None:
    user = somebody()

    shop.event(user, {"amount": 5}, dimensions={"cpid": "summer"})
    shop.absorb()

    profile = shop.profile(user)
    assert (profile.bucket, profile.confirmed) == (buckets.of_user(user), True)
    assert (profile.attributes, profile.dimensions) == ({"amount": 5}, {"cpid": "summer"})
    assert not Inbox.objects.exists()


def test_attribute__older_value_arrives_late__does_not_replace_the_newer(shop: Shop) -> None:
    user, now = somebody(), now_ms()

    shop.event(user, {"city": "Bonn", "age": 40}, at=now, dimensions={"_os": "new"})
    shop.absorb()
    shop.event(user, {"city": "Rome", "size": 3}, at=now - 5_000, dimensions={"_os": "old", "_osv": "1"})
    shop.absorb()

    assert shop.profile(user).attributes == {"city": "Bonn", "age": 40, "size": 3}
    assert shop.profile(user).dimensions == {"_os": "new", "_osv": "1"}


def test_attribute__same_event_time__the_later_receipt_wins_in_any_order(shop: Shop) -> None:
    user, at = somebody(), now_ms() - 60_000

    shop.event(user, {"city": "Bonn"}, at=at, received=at + 2_000)
    shop.event(user, {"city": "Rome"}, at=at, received=at + 1_000)
    shop.absorb()

    assert shop.profile(user).attributes == {"city": "Bonn"}


def test_attributes__empty__change_nothing(shop: Shop) -> None:
    user = somebody()
    shop.event(user, {"name": "Ann", "tags": ["a"], "home": {"city": "Bonn"}, "zero": 0, "no": False})
    shop.event(user, {"name": "", "tags": [], "home": {}, "zero": None, "no": None})
    shop.absorb()

    assert shop.profile(user).attributes == {
        "name": "Ann",
        "tags": ["a"],
        "home": {"city": "Bonn"},
        "zero": 0,
        "no": False,
    }


def test_activity__late_event__counts_on_its_own_day(shop: Shop) -> None:
    user, now = somebody(), now_ms()
    for age in (0, 0, 3, 40):
        shop.event(user, at=now - age * DAY)
    shop.absorb()

    seen = shop.profile(user).activity[str(shop.pixel.id)]
    assert (seen["first"], seen["last"], seen["total"]) == (now - 40 * DAY, now, 4)
    today = now // DAY
    assert seen["days"] == {str(today): 2, str(today - 3): 1, str(today - 40): 1}


def test_activity__many_days__keeps_those_that_rules_can_ask_for(shop: Shop) -> None:
    user, now = somebody(), now_ms()
    for age in range(200, -1, -1):
        shop.event(user, at=now - age * DAY)
    shop.absorb()

    seen = shop.profile(user).activity[str(shop.pixel.id)]
    assert seen["total"] == 201
    assert set(seen["days"]) == {str(now // DAY - age) for age in range(180)}


def test_typed_attributes__convert_on_the_way_in(shop: Shop) -> None:
    user = somebody()
    for path, type_ in (("n", "number"), ("i", "integer"), ("s", "string"), ("b", "boolean"), ("t", "time")):
        shop.attribute(path, type_)
    shop.attribute("home.zip", "string")

    shop.event(user, {"n": "1.50", "i": "7", "s": 5, "b": "yes", "t": "2024-01-01T00:00:00Z", "home": {"zip": 53111}})
    shop.absorb()

    assert shop.profile(user).attributes == {
        "n": 1.5,
        "i": 7,
        "s": "5",
        "b": True,
        "t": 1704067200,
        "home": {"zip": "53111"},
    }
    assert shop.bad_rows() == []


def test_typed_attribute__that_does_not_convert__is_told_and_the_rest_kept(shop: Shop) -> None:
    user = somebody()
    shop.attribute("amount", "number")

    row = shop.event(user, {"amount": "plenty", "city": "Bonn"})
    shop.absorb()

    assert shop.profile(user).attributes == {"city": "Bonn"}
    assert shop.total(user) == 1
    (bad,) = shop.bad_rows()
    assert (bad.id, bad.customer_id) == (row, shop.customer.m)
    assert "amount" in bad.reason


def test_user_key__of_a_new_user__names_a_profile_in_the_values_bucket(shop: Shop) -> None:
    shop.event(ids=[("user", "1001")], data={"UserId": 1001})
    shop.event(ids=[("user", "1001")], data={"amount": 7})
    shop.absorb()

    user = shop.named("user", "1001")
    assert user is not None
    assert buckets.of_user(user) == buckets.of_value("1001")
    assert shop.profile(user).attributes == {"UserId": 1001, "amount": 7}
    assert shop.profile(user).confirmed
    assert Profile.objects.count() == 1


def test_further_ids__name_the_same_user(shop: Shop) -> None:
    user = somebody()

    shop.event(user, {"a": 1}, ids=[("user", "1001"), ("device:devid_g", "g-1")])
    shop.absorb()
    shop.event(ids=[("device:devid_g", "g-1")], data={"b": 2})
    shop.event(ids=[("user", "1001")], data={"c": 3})
    shop.absorb()

    assert shop.named("user", "1001") == shop.named("device:devid_g", "g-1") == user
    assert shop.profile(user).attributes == {"a": 1, "b": 2, "c": 3}
    assert shop.total(user) == 3
    assert Profile.objects.count() == 1


def test_unconfirmed_event__is_kept_and_confirm_makes_the_user_real(shop: Shop) -> None:
    user = somebody()
    shop.event(user, {"a": 1}, confirmed=False)
    shop.absorb()
    assert not shop.profile(user).confirmed

    shop.confirm(user)
    shop.absorb()

    assert shop.profile(user).confirmed
    assert shop.profile(user).attributes == {"a": 1}


def test_confirm__joins_the_browser_to_whom_its_first_request_named(shop: Shop) -> None:
    browser = somebody()
    shop.event(ids=[("user", "1001")], data={"a": 1})
    shop.absorb()
    shop.confirm(browser, [("user", "1001")])
    shop.absorb()
    shop.event(browser, {"b": 2})
    shop.absorb()

    owner = shop.named("user", "1001")
    assert owner is not None
    assert shop.profile(browser).merged_into == owner
    assert shop.profile(owner).attributes == {"a": 1, "b": 2}


def test_discovery__one_path_too_long_for_the_catalogue__does_not_hide_the_others(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attribute_sampling, "FLUSH_SECONDS", 0.0)
    monkeypatch.setattr(attribute_sampling, "KNOWN_SECONDS", 0.0)

    shop.event(somebody(), {"city": "Bonn", "k" * 500: 1, "home": {"zip": "1"}})
    shop.absorb()

    known = {one.path: one.type for one in Attribute.objects.filter(customer=shop.customer)}
    assert known == {"city": "string", "home.zip": "string"}
    assert AttributeStatistics.objects.filter(last_seen__gt=datetime.now(UTC) - timedelta(minutes=1)).count() == 2


def test_database_trouble_while_the_configuration_is_read__is_not_the_rows_fault(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(version: int) -> catalogue.Catalogue:
        raise OperationalError(f"no version {version}: the server went away")

    user = uuid.uuid4()
    shop.event(user, {"a": 1})
    with monkeypatch.context() as broken:
        broken.setattr(catalogue, "at_version", away)
        with pytest.raises(OperationalError):
            shop.absorb()
    shop.absorb()

    assert shop.bad_rows() == []
    assert shop.total(user) == 1
