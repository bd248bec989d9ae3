"""Matches of ids that no browser has brought back: they take what is free, and wait for what is somebody's."""

from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

import pytest
from django.db.models import F

from activation.models import Activation, Delivery
from core import buckets
from core.inbox import InboxKind
from core.messages import OptOutChoice, encode
from integrations.models import Platform
from pipeline.platform_deletion import delete_platform
from pipeline.privacy import erasures
from profiles.models import Identity, Profile
from tests.support.shop import Shop, now_ms, rule, somebody
from usersync.models import MappedUsers, MatchClaim, UserMapping

DAY = timedelta(days=1)


@pytest.fixture
def mail(shop: Shop) -> Platform:
    return shop.platform("mail")


@pytest.fixture
def readers(shop: Shop, mail: Platform) -> Activation:
    """Whoever is known to the mailing system is in one of its groups."""
    return shop.activation(shop.audience("readers", rule("platform", "in", [mail.pl])), mail)


@pytest.fixture
def claimed(shop: Shop, mail: Platform) -> Iterator[tuple[UUID, UUID]]:
    """The owner of a contact's id, and a user who is not confirmed and claims it."""
    owner, claimant = somebody(), somebody()
    shop.sync(owner, mail, "c-1")
    shop.sync(claimant, mail, "c-1", unconfirmed=True)
    shop.absorb()
    assert [(one.user_id, one.platform_user_id) for one in MatchClaim.objects.all()] == [(claimant, "c-1")]
    yield owner, claimant
    assert MatchClaim.objects.count() == 0


def owners(value: str = "c-1") -> set[UUID]:
    return {row.user_id for row in UserMapping.objects.filter(platform_user_id=value)}


def pass_a_day(shop: Shop) -> None:
    Profile.objects.update(created_at=F("created_at") - DAY - timedelta(minutes=1))
    shop.absorber.timed.look_everywhere()
    while shop.absorber.absorb_due():
        pass
    shop.absorb()


def test_unconfirmed__where_the_id_is_free__is_matched_and_in_no_audience_until_confirmed(
    shop: Shop, mail: Platform, readers: Activation
) -> None:
    user = somebody()
    shop.sync(user, mail, "c-1", unconfirmed=True)
    shop.absorb()
    assert (owners(), Delivery.objects.count()) == ({user}, 0)

    shop.event(user)
    shop.absorb()
    assert [(one.platform_user_id, one.wanted) for one in Delivery.objects.all()] == [("c-1", True)]


def test_unconfirmed__that_never_comes_back__leaves_no_match_after_a_day(
    shop: Shop, mail: Platform, readers: Activation
) -> None:
    shop.sync(somebody(), mail, "c-1", unconfirmed=True)
    shop.absorb()

    pass_a_day(shop)

    assert (owners(), Profile.objects.count(), Delivery.objects.count()) == (set(), 0, 0)
    assert Identity.objects.get(value="c-1").user_id is None
    assert sum(MappedUsers.objects.values_list("users", flat=True)) == 0


def test_owner__whom_an_unconfirmed_user_follows__stays_in_the_segment(
    shop: Shop, mail: Platform, readers: Activation
) -> None:
    owner = somebody()
    shop.sync(owner, mail, "c-1")
    shop.absorb()

    shop.sync(somebody(), mail, "c-1", unconfirmed=True)
    shop.absorb()

    assert owners() == {owner}
    assert [(one.user_id, one.wanted) for one in Delivery.objects.all()] == [(owner, True)]


def test_claim__of_a_user_who_is_confirmed__takes_the_id(shop: Shop, claimed: tuple[UUID, UUID]) -> None:
    shop.confirm(claimed[1])
    shop.absorb()
    assert owners() == {claimed[1]}


def test_claim__that_comes_after_the_confirmation__takes_the_id(shop: Shop, mail: Platform) -> None:
    owner, claimant = somebody(), somebody()
    shop.sync(owner, mail, "c-1")
    shop.event(claimant)
    shop.absorb()

    shop.sync(claimant, mail, "c-1", unconfirmed=True)
    shop.absorb()

    assert (owners(), MatchClaim.objects.count()) == ({claimant}, 0)


def test_claim__of_a_browser_that_is_merged__is_of_whom_it_became(shop: Shop, claimed: tuple[UUID, UUID]) -> None:
    known = somebody()
    Profile.objects.update(created_at=F("created_at") + DAY)  # so that the one who is known is the older one
    shop.event(known)
    shop.absorb()
    shop.event(known, ids=[("cookie", str(claimed[1]))])
    shop.absorb()
    assert owners() == {known}


def test_claim__that_is_never_confirmed__goes_after_a_day(shop: Shop, claimed: tuple[UUID, UUID]) -> None:
    pass_a_day(shop)
    assert owners() == {claimed[0]}


def test_claim__of_a_user_who_opts_out__goes(shop: Shop, claimed: tuple[UUID, UUID]) -> None:
    user = claimed[1]
    choice = OptOutChoice(str(user), now_ms())
    shop.append(buckets.of_user(user), InboxKind.OPT_OUT, encode(choice))
    shop.absorb()
    assert owners() == {claimed[0]}


def test_claim__of_a_user_who_is_erased__goes(shop: Shop, claimed: tuple[UUID, UUID]) -> None:
    erasures.request(shop.customer.m, claimed[1], "a test")
    shop.absorb()
    assert owners() == {claimed[0]}


def test_claim__of_an_id_whose_owner_is_erased__goes(
    shop: Shop, claimed: tuple[UUID, UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasures, "LINGER", timedelta(0))
    erasures.request(shop.customer.m, claimed[0], "a test")
    shop.absorb()
    erasures.carry_on()

    assert owners() == set()
    assert Profile.objects.filter(user_id=claimed[1]).exists()


def test_claim__on_a_platform_that_is_deleted__goes(shop: Shop, mail: Platform, claimed: tuple[UUID, UUID]) -> None:
    delete_platform(mail)
    shop.absorb()
    assert owners() == set()
