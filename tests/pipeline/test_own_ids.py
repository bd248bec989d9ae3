"""Platforms that know users by our own ids: everybody is matched there."""

import pytest

from activation import services as activations
from activation.models import Activation
from core import buckets
from core.inbox import InboxKind
from core.messages import OptOutChoice, encode
from integrations.models import Platform
from tests.support.shop import Shop, now_ms, rule, somebody

CALL = {"method": "POST", "url": "http://ads.invalid/", "body": [{"user": "{{user_id}}", "s": "{{segment_id}}"}]}
SETTINGS = {"id_source": "own", "add": CALL, "remove": {**CALL, "method": "DELETE"}}


@pytest.fixture
def own(shop: Shop) -> Platform:
    shop.attribute("amount", "number")
    return shop.platform("own", settings=SETTINGS)


@pytest.fixture
def buyers(shop: Shop, own: Platform) -> Activation:
    return shop.activation(shop.audience("buyers", rule("attribute.amount", ">", 100)), own)


def test_member__is_wanted_without_a_match(shop: Shop, buyers: Activation) -> None:
    user, poor = somebody(), somebody()
    shop.event(user, {"amount": 150})
    shop.event(poor, {"amount": 5})
    shop.absorb()
    assert shop.wanted(buyers) == {str(user)}

    shop.event(user, {"amount": 1})
    shop.event(poor, {"amount": 500})
    shop.absorb()
    assert shop.wanted(buyers) == {str(poor)}


def test_members_of_before__are_wanted_when_the_audience_is_activated(shop: Shop, own: Platform) -> None:
    users = {somebody() for _ in range(20)}
    for user in users:
        shop.event(user, {"amount": 150})
    audience = shop.audience("buyers", rule("attribute.amount", ">", 100))
    assert shop.wanted(shop.activation(audience, own)) == {str(user) for user in users}


def test_other_platforms__go_on_waiting_for_matches(shop: Shop, buyers: Activation) -> None:
    waiting = shop.activation(buyers.audience, shop.platform("ads"))
    shop.event(somebody(), {"amount": 150})
    shop.absorb()
    assert shop.wanted(waiting) == set()


def test_opted_out__is_removed_and_comes_back_when_opted_in(shop: Shop, buyers: Activation) -> None:
    user = somebody()
    shop.event(user, {"amount": 150})
    shop.absorb()
    shop.append(buckets.of_user(user), InboxKind.OPT_OUT, encode(OptOutChoice(str(user), now_ms())))
    shop.absorb()
    assert shop.wanted(buyers) == set()

    shop.append(buckets.of_user(user), InboxKind.OPT_IN, encode(OptOutChoice(str(user), now_ms())))
    shop.event(user, {"amount": 150})
    shop.absorb()
    assert shop.wanted(buyers) == {str(user)}


def test_merged__both_ids_are_the_survivors(shop: Shop, buyers: Activation) -> None:
    """Either may be what the platform meets: both cookies belong to that person."""
    one, other = somebody(), somebody()
    shop.event(one, {"amount": 150, "UserId": "C-1"}, ids=[("user", "C-1")])
    shop.event(other, {"amount": 150}, at=now_ms() + 1)
    shop.absorb()
    assert shop.wanted(buyers) == {str(one), str(other)}

    shop.event(other, {"UserId": "C-1"}, ids=[("user", "C-1")])
    shop.absorb()
    assert shop.wanted(buyers) == {str(one), str(other)}

    shop.event(one, {"amount": 1})
    shop.absorb()
    assert shop.wanted(buyers) == set()


def test_platform_that_goes_over_to_our_ids__learns_of_present_members_by_a_resync(shop: Shop) -> None:
    shop.attribute("amount", "number")
    platform = shop.platform("ads")
    activation = shop.activation(shop.audience("buyers", rule("attribute.amount", ">", 100)), platform)
    user = somebody()
    shop.event(user, {"amount": 150})
    shop.absorb()
    platform.settings = SETTINGS
    platform.save()
    assert shop.wanted(activation) == set()

    activations.resync(activation)
    shop.absorb()
    assert shop.wanted(activation) == {str(user)}
