"""Matches with an end."""

from datetime import UTC, datetime

import pytest

from activation.models import Activation
from core import buckets
from core.scope import EVERYTHING
from integrations.models import Platform
from pipeline import backlog, timed
from profiles.models import Identity
from tests.support.shop import Shop, somebody
from usersync.models import UserMapping


def expire(shop: Shop) -> int:
    done = 0
    while took := shop.absorber.absorb_due():
        done += took
    shop.absorb()
    return done


def test_match__whose_time_is_over__is_forgotten_and_the_platform_told(
    shop: Shop, ads: Platform, buyers: Activation
) -> None:
    user = somebody()
    shop.event(user, {"amount": 150})
    shop.sync(user, ads, "brief", ttl_days=2)
    shop.sync(user, ads, "longer", ttl_days=9)
    shop.sync(user, ads, "for ever")
    shop.absorb()
    shop.accept_all_deliveries()
    assert expire(shop) == 0

    told = len(shop.touched)
    shop.let_pass(3)
    assert backlog.counts(EVERYTHING)["rechecks_due"] == 1
    assert expire(shop) == 1

    assert shop.mappings(user) == {(ads.pl, "longer"), (ads.pl, "for ever")}
    assert shop.named(f"platform:{ads.pl}", "brief") is None
    assert shop.due() == {("brief", False)}
    assert any((ads.pl, buckets.of_value("brief")) in touched for touched in shop.touched[told:])
    assert backlog.counts(EVERYTHING)["rechecks_due"] == 0
    assert expire(shop) == 0


@pytest.mark.parametrize("ttl_days", [9, None])
def test_match__synced_again_before_its_end__stays(
    shop: Shop, ads: Platform, buyers: Activation, ttl_days: int | None
) -> None:
    user = somebody()
    shop.event(user, {"amount": 150})
    shop.sync(user, ads, "x", ttl_days=2)
    shop.absorb()
    shop.sync(user, ads, "x", ttl_days=ttl_days)
    shop.absorb()
    shop.let_pass(3)

    assert expire(shop) == 0
    assert shop.wanted(buyers) == {"x"}


def test_match__synced_again_while_it_ends__is_there_again(shop: Shop, ads: Platform, buyers: Activation) -> None:
    """The renewal is in the inbox when the end is noticed, or its message to the user is under way."""
    for sync_first in (True, False):
        user, platform_user_id = somebody(), f"x-{sync_first}"
        shop.event(user, {"amount": 150})
        shop.sync(user, ads, platform_user_id, ttl_days=2)
        shop.absorb()
        shop.let_pass(3)
        if sync_first:
            shop.sync(user, ads, platform_user_id, ttl_days=2)
            shop.absorber.absorb()
            shop.absorber.absorb_due()
        else:
            shop.absorber.absorb_due()
            shop.sync(user, ads, platform_user_id, ttl_days=2)
        shop.absorb()

        assert shop.mappings(user) == {(ads.pl, platform_user_id)}
        assert platform_user_id in shop.wanted(buyers)


def test_match__that_changed_hands__ends_when_the_new_owners_does(
    shop: Shop, ads: Platform, buyers: Activation
) -> None:
    former, owner = somebody(), somebody()
    shop.sync(former, ads, "x", ttl_days=2)
    shop.absorb()
    shop.sync(owner, ads, "x", ttl_days=9)
    shop.absorb()
    shop.let_pass(3)
    assert expire(shop) == 0
    shop.let_pass(7)

    assert expire(shop) == 1
    assert shop.mappings(owner) == set()


def test_matches_that_end_together__are_taken_back_in_bounded_batches(
    shop: Shop, ads: Platform, buyers: Activation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timed, "BATCH", 8)
    for number in range(30):
        shop.sync(somebody(), ads, f"x-{number}", ttl_days=1)
    shop.absorb()
    shop.let_pass(2)

    assert shop.absorber.absorb_due() <= 8
    assert expire(shop) >= 22
    assert not UserMapping.objects.exists()
    assert not Identity.objects.filter(expires_at__lt=datetime.now(UTC)).exists()
