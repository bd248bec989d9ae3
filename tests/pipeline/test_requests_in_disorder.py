"""Requests that are absorbed in another order than they were accepted in: what was accepted later holds.

A request goes to the bucket of its first id, and what follows from it to others. So of two requests the later one may
come to a profile, or to an id, before the earlier one does.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import msgspec
import pytest
from django.db import connection
from psycopg import Cursor

from activation.models import Activation
from core import buckets
from core.buckets import try_lock
from core.inbox import InboxKind, InboxQueue
from core.messages import Id, Match, OptOutChoice, Sync
from core.models import Inbox
from integrations.models import Platform
from pipeline.models import KeptRow
from pipeline.privacy import erasures
from profiles import attribute_sampling
from profiles.models import Profile, SharedId
from tests.support.interleaving import locked
from tests.support.shop import Shop, in_bucket, now_ms
from tests.support.traces import traces
from usersync.models import UserMapping

SECRET = "Kensington-4711"
OWN_ID = "customer-0815"
DEVICE: Id = ("device:devid_g", "device-1234")
PERSON, OTHER, BROWSER = in_bucket(1, 1), in_bucket(2, 2), in_bucket(200, 3)
PLATFORM_ID = "platform-id-77"


@pytest.fixture(autouse=True)
def _at_once(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(erasures, "LINGER", timedelta(0))
    monkeypatch.setattr(attribute_sampling, "FLUSH_SECONDS", 0.0)
    monkeypatch.setattr(attribute_sampling, "KNOWN_SECONDS", 0.0)
    yield
    assert not Inbox.objects.exists()


def settle(shop: Shop) -> None:
    shop.absorb()
    erasures.carry_on()
    shop.absorb()


def absorb_only(shop: Shop, *places: int) -> None:
    """The rows that wait in these buckets now, each bucket's alone."""
    for place in places:
        shop.absorber._attempt(partial(_lock, place), 100, InboxQueue.PROMPT)


def _lock(place: int, cursor: Cursor[Any]) -> set[int]:
    return try_lock(cursor, {place})


def sync(shop: Shop, user: UUID, ads: Platform, value: str, at: int) -> None:
    """As `/uid` stores it, accepted at `at` (unix ms); an empty value clears."""
    message = Sync(shop.customer.m, ads.pl, str(user), value, at)
    bucket = buckets.of_value(value) if value else buckets.of_user(user)
    shop.append(bucket, InboxKind.SYNC, msgspec.json.encode(message), at=datetime.fromtimestamp(at / 1000, UTC))


def choose(shop: Shop, user: UUID, kind: InboxKind, at: int) -> None:
    query = msgspec.json.encode(OptOutChoice(str(user), at))
    shop.append(buckets.of_user(user), kind, query, at=datetime.fromtimestamp(at / 1000, UTC))


# ── an erasure, and what is accepted after it ─────────────────────────────────────────────────────────


def test_event_at_another_profile_of_the_person__before_the_erasure_comes_there__survives(shop: Shop) -> None:
    shop.event(PERSON, {"street": SECRET}, ids=[DEVICE], received=now_ms() - 5_000)
    shop.absorb()
    shop.event(OTHER, {"street": SECRET}, ids=[DEVICE], received=now_ms() - 4_000)
    absorb_only(shop, buckets.of_user(OTHER))  # that the two are one is still under way

    erasures.request(shop.customer.m, PERSON, "a test")
    shop.event(OTHER, {"amount": 7}, received=now_ms() + 5)
    absorb_only(shop, buckets.of_user(OTHER))
    assert shop.profile(OTHER).attributes == {"street": SECRET, "amount": 7}
    settle(shop)

    assert (shop.profile(OTHER).attributes, shop.total(OTHER)) == ({"amount": 7}, 1)
    assert Profile.objects.count() == 1
    assert traces([str(PERSON), DEVICE[1], SECRET]) == set()


def test_event_by_an_id__that_comes_to_the_profile_before_the_erasure__survives(shop: Shop) -> None:
    key: Id = ("user", OWN_ID)
    shop.event(PERSON, {"street": SECRET}, ids=[key], received=now_ms() - 5_000)
    shop.absorb()

    erasures.request(shop.customer.m, PERSON, "a test")
    shop.event(None, {"amount": 7}, ids=[key], received=now_ms() + 5)
    shop.event(None, {"street": SECRET}, ids=[key], received=now_ms() - 1_000)
    absorb_only(shop, buckets.of_value(OWN_ID))
    assert shop.total(PERSON) == 3
    settle(shop)

    profile = Profile.objects.get()
    assert (profile.attributes, shop.total(profile.user_id)) == ({"amount": 7}, 1)
    assert shop.named(*key) == profile.user_id
    assert traces([str(PERSON), SECRET]) == set()


def test_sync_of_a_merged_browser__that_comes_to_the_person_before_the_erasure__is_the_browsers(
    shop: Shop, ads: Platform, buyers: Activation
) -> None:
    shop.event(PERSON, {"street": SECRET}, ids=[DEVICE], received=now_ms() - 5_000)
    shop.event(OTHER, {"street": SECRET}, ids=[DEVICE], received=now_ms() - 4_000)
    shop.absorb()
    assert shop.profile(OTHER).merged_into == PERSON

    with locked({buckets.of_user(PERSON)}):
        erasures.request(shop.customer.m, PERSON, "a test")
    sync(shop, OTHER, ads, PLATFORM_ID, now_ms() + 5)
    shop.event(OTHER, {"amount": 150}, received=now_ms() + 6)
    with connection.cursor() as cursor:  # the erasure comes last
        cursor.execute("UPDATE inbox SET id = id + 1000000 WHERE kind = 29")
    absorb_only(shop, buckets.of_value(PLATFORM_ID), buckets.of_user(OTHER), buckets.of_value(PLATFORM_ID))
    settle(shop)

    assert shop.mappings(OTHER) == {(ads.pl, PLATFORM_ID)}
    assert shop.profile(OTHER).attributes == {"amount": 150}
    assert shop.wanted(buyers) == {PLATFORM_ID}
    assert traces([str(PERSON), DEVICE[1], SECRET]) == set()


def test_sync_after_the_erasure__that_comes_to_the_id_first__holds(
    shop: Shop, ads: Platform, buyers: Activation
) -> None:
    shop.event(PERSON, {"amount": 150}, received=now_ms() - 5_000)
    sync(shop, PERSON, ads, PLATFORM_ID, now_ms() - 4_000)
    shop.absorb()
    shop.accept_all_deliveries()

    erasures.request(shop.customer.m, PERSON, "a test")
    absorb_only(shop, buckets.of_user(PERSON))  # the id does not know yet
    shop.event(PERSON, {"amount": 150}, received=now_ms() + 5)
    sync(shop, PERSON, ads, PLATFORM_ID, now_ms() + 6)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE inbox SET id = id + 1000000 WHERE kind = 30")
    absorb_only(shop, buckets.of_value(PLATFORM_ID))
    settle(shop)

    assert shop.named(f"platform:{ads.pl}", PLATFORM_ID) == PERSON
    assert shop.mappings(PERSON) == {(ads.pl, PLATFORM_ID)}
    assert shop.wanted(buyers) == {PLATFORM_ID}


def test_opt_out__absorbed_together_with_the_erasure__brings_nobody_back(shop: Shop) -> None:
    shop.event(PERSON, {"street": SECRET}, received=now_ms() - 5_000)
    shop.absorb()

    erasures.request(shop.customer.m, PERSON, "a test")
    choose(shop, PERSON, InboxKind.OPT_OUT, now_ms() + 5)
    settle(shop)

    assert not Profile.objects.exists()
    assert traces([SECRET]) == set()


def test_rows_kept_for_an_erasure__are_gone_when_it_is_done(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.absorb.kept_rows.SEEN_AFTER", timedelta(seconds=-60))
    shop.event(PERSON, {"street": SECRET}, received=now_ms() - 5_000)
    shop.event(OTHER, {"amount": 1}, received=now_ms() - 5_000)
    shop.absorb()
    shop.event(OTHER, {"amount": 2}, received=now_ms() - 4_000)
    shop.absorb()
    assert not KeptRow.objects.exists()  # while no erasure is under way

    erasures.request(shop.customer.m, PERSON, "a test")
    shop.event(OTHER, {"amount": 3}, received=now_ms() + 5)
    shop.absorb()
    assert KeptRow.objects.count() == 1
    settle(shop)

    assert not KeptRow.objects.exists()
    assert shop.total(OTHER) == 3


# ── giving up an id, and being synced with it again ───────────────────────────────────────────────────


@pytest.mark.parametrize("out", [False, True], ids=["clear", "opt-out"])
@pytest.mark.parametrize("first", ["user", "id"])
def test_sync_after_the_id_was_given_up__holds_whichever_comes_first(
    shop: Shop, ads: Platform, buyers: Activation, first: str, out: bool
) -> None:
    start = now_ms() - 5_000
    shop.event(PERSON, {"amount": 150}, received=start)
    sync(shop, PERSON, ads, PLATFORM_ID, start)
    shop.absorb()
    shop.accept_all_deliveries()

    give_up(shop, ads, start + 1_000, out=out)
    sync(shop, PERSON, ads, PLATFORM_ID, start + 2_000)
    places = [buckets.of_user(PERSON), buckets.of_value(PLATFORM_ID)]
    absorb_only(shop, *(places if first == "user" else reversed(places)))
    shop.absorb()

    assert shop.named(f"platform:{ads.pl}", PLATFORM_ID) == PERSON
    assert shop.mappings(PERSON) == {(ads.pl, PLATFORM_ID)}
    assert shop.wanted(buyers) == {PLATFORM_ID}


@pytest.mark.parametrize("out", [False, True], ids=["clear", "opt-out"])
def test_sync_before_the_id_was_given_up__that_comes_after_it__is_given_up_too(
    shop: Shop, ads: Platform, buyers: Activation, out: bool
) -> None:
    start = now_ms() - 5_000
    shop.event(PERSON, {"amount": 150}, received=start)
    shop.absorb()

    sync(shop, PERSON, ads, PLATFORM_ID, start + 1_000)
    give_up(shop, ads, start + 2_000, out=out)
    absorb_only(shop, buckets.of_user(PERSON))
    shop.absorb()

    assert shop.named(f"platform:{ads.pl}", PLATFORM_ID) is None
    assert shop.mappings(PERSON) == set()
    assert shop.wanted(buyers) == set()


def test_own_id_that_the_hub_has_matched__between_an_opt_out_and_its_absorption__is_given_up(
    shop: Shop, ads: Platform, buyers: Activation
) -> None:
    own = shop.platform("own ids", settings={**ads.settings, "id_source": "own"})
    activation = shop.activation(buyers.audience, own)
    start = now_ms() - 5_000
    shop.event(PERSON, {"amount": 150}, received=start)
    shop.absorb()
    assert shop.wanted(activation) == {str(PERSON)}

    choose(shop, PERSON, InboxKind.OPT_OUT, start + 1_000)
    shop.absorb()

    assert (shop.wanted(activation), shop.mappings(PERSON)) == (set(), set())


def give_up(shop: Shop, ads: Platform, at: int, *, out: bool) -> None:
    """The platform does not know the browser any more; or the user opts out, and in again."""
    if not out:
        sync(shop, PERSON, ads, "", at)
        return
    choose(shop, PERSON, InboxKind.OPT_OUT, at)
    choose(shop, PERSON, InboxKind.OPT_IN, at + 1)


@pytest.mark.parametrize("by", ["a login", "a match table"])
def test_match_that_comes_round_about__takes_the_id_from_no_later_owner(
    shop: Shop, ads: Platform, buyers: Activation, by: str
) -> None:
    start = now_ms() - 5_000
    key: Id = ("user", OWN_ID)
    shop.event(PERSON, {"amount": 150}, ids=[key], received=start)
    shop.event(BROWSER, {"amount": 150}, ids=[("user", "another")], received=start)
    shop.event(OTHER, {"amount": 150}, received=start)
    shop.absorb()
    shop.event(BROWSER, None, ids=[key], at=start + 1, received=start + 1)  # the person logs in there
    shop.absorb()

    if by == "a login":
        sync(shop, BROWSER, ads, PLATFORM_ID, start + 1_000)
        absorb_only(shop, buckets.of_value(PLATFORM_ID))
    else:
        match = Match(shop.customer.m, ads.pl, PLATFORM_ID, key, start + 1_000)
        moment = datetime.fromtimestamp(match.at / 1000, UTC)
        shop.append(buckets.of_value(OWN_ID), InboxKind.MATCH, msgspec.json.encode(match), at=moment)
    sync(shop, OTHER, ads, PLATFORM_ID, start + 2_000)
    absorb_only(shop, buckets.of_value(PLATFORM_ID))
    shop.absorb()

    assert shop.named(f"platform:{ads.pl}", PLATFORM_ID) == OTHER
    assert set(UserMapping.objects.values_list("user_id", flat=True)) == {OTHER}
    assert shop.wanted(buyers) == {PLATFORM_ID}


# ── ids that were set aside ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("asked", [True, False], ids=["asked for", "by retention"])
def test_erased_id__that_was_set_aside_for_another_user__is_forgotten_there(shop: Shop, asked: bool) -> None:
    key: Id = ("user", OWN_ID)
    shop.event(PERSON, {"street": SECRET}, ids=[key])
    shop.event(OTHER, None, ids=[("device:devid_g", f"device-{n}") for n in range(50)])
    shop.absorb()
    shop.event(OTHER, None, ids=[key])
    shop.event(OTHER, None, ids=[("cookie", str(PERSON))])
    shop.absorb()
    assert {row.value for row in SharedId.objects.all()} == {OWN_ID, str(PERSON)}

    if asked:
        erasures.request(shop.customer.m, PERSON, "a test")
    else:
        shop.append(*erasures.command(shop.customer.m, PERSON, datetime.now(UTC))[:3], at=datetime.now(UTC))
    settle(shop)

    assert not SharedId.objects.exists()
    assert traces([str(PERSON), OWN_ID]) == set()
