"""Lines of match tables that name their user by another id than ours."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest

from core.limits import RequestLimits
from core.transactions import send
from integrations.models import Platform
from profiles.match_lines import MatchLines
from profiles.models import Profile
from profiles.personal.protection import Protection
from tests.support.shop import Shop, rule, somebody


def match(shop: Shop, platform: Platform, platform_user_id: str, **named: Any) -> None:
    """As an upload of one line does."""
    protections = {shop.customer.m: Protection.of_customer(shop.customer)}
    table = MatchLines({platform.pl: shop.customer.m}, protections, RequestLimits())
    line = {"platform": platform.pl, "platform_user_id": platform_user_id, **named}
    send([table.read(msgspec.json.encode(line), datetime.now(UTC))])
    shop.absorb()


def only_user() -> UUID:
    return Profile.objects.get().user_id


def test_match__by_the_customers_id_of_a_known_user__is_theirs(shop: Shop, ads: Platform) -> None:
    user = somebody()
    shop.event(user, {"UserId": "C-1"}, ids=[("user", "C-1")])
    shop.absorb()

    match(shop, ads, "x", user="C-1", dc="ewr")

    assert shop.mappings(user) == {(ads.pl, "x")}
    assert only_user() == user


@pytest.mark.parametrize(
    ("named", "as_id"),
    [
        ({"user": "C-1"}, ("user", "C-1")),
        ({"pl": 4, "euid": "e"}, ("euid:4", "e")),
        ({"devid_g": "g"}, ("device:devid_g", "g")),
    ],
)
def test_match__by_an_id_that_is_new__makes_the_user_whom_later_events_find(
    shop: Shop, ads: Platform, named: dict[str, Any], as_id: tuple[str, str]
) -> None:
    activation = shop.activation(shop.audience("buyers", rule("attribute.amount", ">", 100)), ads)

    match(shop, ads, "x", **named)

    user = only_user()
    assert shop.mappings(user) == {(ads.pl, "x")}
    assert shop.profile(user).confirmed
    assert shop.profile(user).ids == [list(as_id)]

    shop.event(ids=[as_id], data={"amount": 150})
    shop.absorb()
    assert only_user() == user
    assert shop.wanted(activation) == {"x"}


def test_match__repeated__changes_nothing(shop: Shop, ads: Platform) -> None:
    activation = shop.activation(shop.audience("buyers", rule("attribute.amount", ">", 100)), ads)
    shop.event(ids=[("user", "C-1")], data={"amount": 150})
    for _ in range(3):
        match(shop, ads, "x", user="C-1")
        match(shop, ads, "y", user="C-1")
        match(shop, ads, "y", uuid=str(only_user()))

    assert shop.mappings(only_user()) == {(ads.pl, "x"), (ads.pl, "y")}
    delivery = shop.delivery(activation, "x")
    assert (delivery.epoch, delivery.wanted) == (1, True)


def test_match__of_a_merged_user__is_the_survivors(shop: Shop, ads: Platform) -> None:
    older, younger = somebody(), somebody()
    shop.event(older, ids=[("device:devid_g", "g")])
    shop.absorb()
    shop.event(younger, ids=[("user", "C-1")])
    shop.absorb()
    shop.event(younger, ids=[("device:devid_g", "g")])
    shop.absorb()
    assert shop.profile(younger).merged_into == older

    match(shop, ads, "x", user="C-1")

    assert shop.mappings(older) == {(ads.pl, "x")}
    assert shop.mappings(younger) == set()


def test_match_with_an_end__is_kept_until_then(shop: Shop, ads: Platform) -> None:
    match(shop, ads, "x", user="C-1", ttl=3)

    assert shop.identity(f"platform:{ads.pl}", "x").expires_at is not None
