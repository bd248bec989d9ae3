"""A profile and an event have caps: what is beyond is set aside, counted and shown, and the rest is used."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from django.db import connection

from audiences.attributes import set_attribute
from core import buckets
from core.inbox import InboxKind
from core.limits import DataCaps
from core.messages import Sync, encode
from core.models import BadRow
from integrations.models import Platform
from pipeline.absorb.mappings import MOST_PLATFORM_IDS
from pipeline.bad_rows import replay_all
from pipeline.privacy import erasures
from pipeline.privacy.export import export
from pipeline.stories import UserStory, story
from profiles import attribute_catalogue
from profiles.models import CustomerExcess, Profile, ProfileExcess, SharedId
from profiles.state import MOST_IDS
from tests.support.shop import Shop, now_ms, rule, somebody

CAPS = DataCaps()
KIB = 1024


def cap(settings: Any, **caps: int) -> None:
    settings.ENVIRONMENT = replace(settings.ENVIRONMENT, data_caps=DataCaps(**caps))


def stored_bytes(user: UUID) -> int:
    """How much of a profile is read for each batch that holds an event of it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT octet_length(attributes::text) FROM profile WHERE bucket = %s AND user_id = %s",
            [buckets.of_user(user), user],
        )
        (size,) = cursor.fetchone()
    return int(size)


def told(user: UUID) -> UserStory:
    found = story(1, user)
    assert found is not None
    return found


def test_profile_that_large_events_feed__stays_below_its_caps_and_the_rest_is_set_aside(shop: Shop) -> None:
    user, sent = somebody(), 20
    for number in range(sent):
        shop.event(user, {f"blob{number}": "x" * 250 * KIB, "visits": number}, at=now_ms() + number)
        shop.absorb()

    assert stored_bytes(user) <= CAPS.profile_bytes
    kept = shop.profile(user).attributes
    assert set(kept) == {"blob0", "blob1", "visits"}
    assert kept["visits"] == sent - 1
    assert shop.total(user) == sent
    rows = shop.bad_rows()
    assert len(rows) == sent - 2
    assert all("no room for blob" in row.reason and row.customer_id == 1 for row in rows)
    assert all(b"visits" not in bytes(row.body or b"") for row in rows)


def test_excess__is_told_of_the_user_and_of_the_customer(shop: Shop, settings: Any) -> None:
    cap(settings, profile_attributes=3)
    user = somebody()
    shop.event(user, {"a": 1, "b": 2, "c": 3, "d": 4, "e": 5})
    shop.event(user, {"f": 6})
    shop.absorb()

    known = told(user)
    assert (known.size.attributes, known.size.most_attributes) == (3, 3)
    assert known.excess is not None
    assert (known.excess.events, known.excess.attributes, known.excess.names) == (2, 3, ["f"])
    of_customer = attribute_catalogue.summary(1).excess
    assert of_customer is not None
    assert (of_customer.events, of_customer.attributes) == (2, 3)
    exported = export(1, user)
    assert exported is not None
    assert exported["excess"][0]["attributes"] == 3


def test_excess__goes_with_its_user_and_stays_counted(shop: Shop, settings: Any) -> None:
    cap(settings, profile_attributes=1)
    user = somebody()
    shop.event(user, {"a": 1, "b": 2})
    shop.absorb()
    assert ProfileExcess.objects.count() == 1

    erasures.request(1, user, "the test")
    shop.absorb()

    assert not ProfileExcess.objects.exists()
    assert CustomerExcess.objects.get().attributes == 1


def test_user_erased_in_the_batch_that_counts_the_excess__leaves_nothing(shop: Shop, settings: Any) -> None:
    cap(settings, profile_attributes=1)
    user = somebody()
    for number in range(MOST_IDS + 1):
        shop.event(user, {"a": 1, "b": 2}, ids=[("device:devid_g", f"g-{number}")])
    erasures.request(1, user, "the test")
    shop.absorb()

    assert not ProfileExcess.objects.exists()
    assert not SharedId.objects.exists()


def test_user_who_comes_again__in_the_batch_of_the_erasure__has_the_excess_of_that_batch(
    shop: Shop, settings: Any
) -> None:
    cap(settings, profile_attributes=1)
    user = somebody()
    shop.event(user, {"a": 1, "b": 2, "c": 3})
    shop.absorb()
    erasures.request(1, user, "the test")
    ids = [("device:devid_g", f"g-{number}") for number in range(MOST_IDS + 1)]
    shop.event(user, {"a": 1, "b": 2}, ids=ids, received=now_ms() + 1_000)
    shop.absorb()

    assert ProfileExcess.objects.get().attributes == 1
    assert SharedId.objects.get().user_id == user


def test_event_of_more_attributes_than_one_may_bring__is_used_as_far_as_it_may(shop: Shop, settings: Any) -> None:
    cap(settings, event_attributes=10, event_bytes=1000)
    many, large = somebody(), somebody()
    shop.event(many, {f"k{number}": number for number in range(25)})
    shop.event(large, {"a": "x" * 600, "b": "x" * 600, "c": "y"})
    shop.absorb()

    assert shop.profile(many).attributes == {f"k{number}": number for number in range(10)}
    assert set(shop.profile(large).attributes) == {"a", "c"}
    assert len(shop.bad_rows()) == 2


def test_profile_stored_above_its_caps__goes_on_working(shop: Shop) -> None:
    user = somebody()
    shop.attribute("amount", "number")
    rich = shop.audience("rich", rule("attribute.amount", ">", 100))
    shop.event(user, {"amount": 1, "k0": "x" * 1000})
    shop.absorb()
    stored = {"amount": 1, **{f"k{number}": "x" * 1000 for number in range(3000)}}
    Profile.objects.filter(user_id=user).update(attributes=stored)

    shop.event(user, {"amount": 200, "k0": "y" * 1000, "k1": "y" * 2000, "new": 1}, at=now_ms() + 1)
    shop.absorb()

    kept = shop.profile(user).attributes
    assert (kept["amount"], kept["k0"], kept["k1"]) == (200, "y" * 1000, "x" * 1000)
    assert "new" not in kept
    assert shop.members(rich) == {user}
    (bad,) = shop.bad_rows()
    assert bad.reason.startswith("no room for k1, new:")


def test_small_attributes__find_room_in_a_profile_full_of_junk(shop: Shop, settings: Any) -> None:
    cap(settings, profile_bytes=10 * KIB)
    user = somebody()
    shop.event(user, {"junk": "x" * 10_000})
    shop.event(user, {"more": "x" * 10_000, "Country": "DE"})
    shop.absorb()

    assert set(shop.profile(user).attributes) == {"junk", "Country"}


def test_set_aside__replayed_with_room_for_it__is_used(shop: Shop, settings: Any) -> None:
    cap(settings, profile_attributes=1)
    user = somebody()
    shop.event(user, {"a": 1, "b": {"c": 2}})
    shop.absorb()
    replay_all(BadRow.objects.all())
    shop.absorb()
    assert (shop.profile(user).attributes, len(shop.bad_rows())) == ({"a": 1}, 1)

    cap(settings, profile_attributes=2)
    replay_all(BadRow.objects.all())
    shop.absorb()

    assert shop.profile(user).attributes == {"a": 1, "b": {"c": 2}}
    assert shop.bad_rows() == []
    assert shop.total(user) == 1


def test_event_with_a_value_that_does_not_convert__is_one_bad_row_with_its_excess(shop: Shop, settings: Any) -> None:
    shop.attribute("amount", "number")
    cap(settings, profile_attributes=1)
    user = somebody()
    shop.event(user, {"amount": "plenty", "a": 1, "b": 2})
    shop.absorb()

    (bad,) = shop.bad_rows()
    assert "amount" in bad.reason
    assert "no room for b" in bad.reason

    set_attribute(shop.attribute("amount", "string"), enabled=True)
    cap(settings, profile_attributes=3)
    replay_all(BadRow.objects.all())
    shop.absorb()
    assert shop.profile(user).attributes == {"amount": "plenty", "a": 1, "b": 2}


def test_merged__what_both_hold_is_capped_and_nothing_is_lost(shop: Shop, settings: Any) -> None:
    cap(settings, profile_bytes=400 * KIB)
    one, other = somebody(), somebody()
    shop.event(one, {"a": "x" * 250 * KIB, "small": 1}, at=now_ms() - 1000)
    shop.absorb()
    shop.event(other, {"b": "y" * 250 * KIB, "tiny": 2})
    shop.absorb()
    for user in (one, other):
        shop.event(user, ids=[("user", "ann")])
    shop.absorb()

    kept = shop.profile(one)
    assert shop.profile(other).merged_into == one
    assert set(kept.attributes) == {"a", "small", "tiny"}
    assert stored_bytes(one) <= 400 * KIB
    assert [row.reason[:14] for row in shop.bad_rows()] == ["no room for b:"]

    cap(settings)
    replay_all(BadRow.objects.all())
    shop.absorb()
    assert set(shop.profile(one).attributes) == {"a", "b", "small", "tiny"}
    assert (shop.total(one), shop.bad_rows()) == (4, [])


def test_numbers_that_the_database_spells_out__count_with_all_their_digits(shop: Shop) -> None:
    user = somebody()
    for number in range(40):
        shop.event(user, b'{"far%d": [%s]}' % (number, b",".join([b"1e300"] * 300)))
    shop.absorb()

    assert stored_bytes(user) <= CAPS.profile_bytes
    assert shop.bad_rows()


def test_same_data_sent_again_and_again__is_no_growth(shop: Shop) -> None:
    user, data = somebody(), {f"k{number}": "x" * 300 for number in range(20)}
    for _ in range(300):
        shop.event(user, data)
    shop.absorb()

    assert shop.profile(user).attributes == data
    assert shop.bad_rows() == []


def test_ids_of_one_user_on_a_platform__are_the_latest_and_the_rest_is_set_aside(shop: Shop, ads: Platform) -> None:
    user, now = somebody(), now_ms()
    for number in range(MOST_PLATFORM_IDS + 5):
        message = Sync(1, ads.pl, str(user), f"id-{number}", now - 100_000 + number)
        shop.append(buckets.of_value(f"id-{number}"), InboxKind.SYNC, encode(message))
    shop.absorb()

    assert shop.mappings(user) == {(ads.pl, f"id-{number}") for number in range(5, MOST_PLATFORM_IDS + 5)}
    aside = SharedId.objects.filter(user_id=user)
    assert {(row.kind, row.value) for row in aside} == {(f"platform:{ads.pl}", f"id-{number}") for number in range(5)}
    assert shop.identity(f"platform:{ads.pl}", "id-0").user_id is None
