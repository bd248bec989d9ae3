"""Ids that meet become one person; people who differ stay apart."""

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from core import buckets
from core.inbox import InboxKind
from core.models import Inbox
from pipeline.privacy.export import export
from pipeline.stories import KnownId, story
from profiles.merges import browsers_logged_in
from profiles.models import Profile, ProfileMerge, SharedId
from profiles.state import MOST_IDS
from tests.support.shop import Shop, now_ms, rule, somebody


def known_by_key(shop: Shop, key: str, **data: object) -> None:
    """A customer user of whom only servers have told so far."""
    shop.event(ids=[("user", key)], data={"UserId": key, **data})
    shop.absorb()


def test_two_that_meet__become_one_profile_under_the_older_id(shop: Shop) -> None:
    now, browser = now_ms(), somebody()
    shop.event(browser, {"city": "Bonn", "device": "tv"}, at=now - 20_000)
    shop.absorb()
    shop.event(ids=[("user", "7")], data={"city": "Rome", "age": 40}, at=now - 10_000)
    shop.event(ids=[("user", "7")], at=now - 9_000)
    shop.absorb()
    younger = shop.named("user", "7")
    assert younger is not None

    shop.event(browser, ids=[("user", "7")], at=now)
    shop.absorb()

    assert shop.profile(younger).merged_into == browser
    assert shop.profile(younger).attributes == shop.profile(younger).activity == {}
    assert shop.profile(browser).attributes == {"city": "Rome", "device": "tv", "age": 40}
    seen = shop.profile(browser).activity[str(shop.pixel.id)]
    assert (seen["total"], seen["first"], seen["last"]) == (4, now - 20_000, now)


def test_older_is_the_one_known_by_key__the_browser_joins_it(shop: Shop) -> None:
    known_by_key(shop, "7", city="Rome")
    owner, browser = shop.named("user", "7"), somebody()
    assert owner is not None

    shop.event(browser, {"device": "tv"}, ids=[("user", "7")])
    shop.absorb()

    assert shop.profile(browser).merged_into == owner
    assert shop.profile(owner).attributes == {"UserId": "7", "city": "Rome", "device": "tv"}


def test_merged__events_of_both_ids_arrive_at_the_survivor(shop: Shop) -> None:
    known_by_key(shop, "7")
    owner, browser = shop.named("user", "7"), somebody()
    assert owner is not None
    shop.event(browser, ids=[("user", "7"), ("device:devid_g", "g-1")])
    shop.absorb()

    shop.event(browser, {"a": 1})
    shop.event(ids=[("device:devid_g", "g-1")], data={"b": 2})
    shop.event(ids=[("user", "7")], data={"c": 3})
    shop.absorb()

    assert shop.profile(owner).attributes == {"UserId": "7", "a": 1, "b": 2, "c": 3}
    assert shop.total(owner) == 5


def test_three_in_a_row__merge_into_the_oldest_and_lose_nothing(shop: Shop) -> None:
    one, two, three = sorted((somebody() for _ in range(3)), key=lambda user: user.int)
    for place, user in enumerate((one, two, three)):
        shop.event(user, {f"a{place}": place})
        shop.absorb()

    shop.event(three, ids=[("device:devid_g", "g")])
    shop.event(two, ids=[("device:devid_g", "g"), ("device:devid_a", "a")])
    shop.event(one, ids=[("device:devid_a", "a")])
    shop.absorb()

    assert shop.profile(one).attributes == {"a0": 0, "a1": 1, "a2": 2}
    assert shop.total(one) == 6
    for late in (two, three):
        shop.event(late)
    shop.absorb()
    assert shop.total(one) == 8
    assert Profile.objects.filter(merged_into=None).count() == 1


def test_uuid_in_a_request_with_another_cookie__both_are_one_person(shop: Shop) -> None:
    cookie, named = somebody(), somebody()
    shop.event(cookie, {"a": 1})
    shop.absorb()

    shop.event(named, {"b": 2}, ids=[("cookie", str(cookie))])
    shop.absorb()
    shop.event(cookie, {"c": 3})
    shop.absorb()

    assert shop.profile(named).merged_into == cookie
    assert shop.profile(cookie).attributes == {"a": 1, "b": 2, "c": 3}


def test_browser_that_logs_in_as_another__moves_to_that_profile(shop: Shop) -> None:
    browser = somebody()
    shop.event(browser, {"a": 1}, ids=[("user", "ann")])
    known_by_key(shop, "bob", b=1)
    bob = shop.named("user", "bob")
    assert bob is not None

    shop.event(browser, {"b": 2}, ids=[("user", "bob")])
    shop.absorb()

    assert shop.profile(bob).attributes == {"UserId": "bob", "b": 2}
    assert shop.profile(browser).attributes == {"a": 1}
    assert shop.named("user", "ann") == browser
    assert Profile.objects.filter(merged_into=None).count() == 2


def test_browser_that_moved__counts_for_whom_it_logged_in_as_last(shop: Shop) -> None:
    now, browser = now_ms(), somebody()
    known_by_key(shop, "bob")
    shop.event(browser, {"a": 1}, ids=[("user", "ann")], at=now - 9_000)
    shop.absorb()
    bob = shop.named("user", "bob")
    assert bob is not None

    shop.event(browser, ids=[("user", "bob")], at=now - 7_000)
    shop.event(browser, {"c": "bob's"}, ids=[("device:devid_g", "g")], at=now - 6_000)
    shop.event(browser, {"d": "late, and ann's"}, at=now - 8_000)
    shop.absorb()
    shop.event(browser, ids=[("user", "ann")], at=now - 5_000)
    shop.event(browser, {"e": "ann's"}, at=now - 4_000)
    shop.absorb()

    assert shop.profile(bob).attributes == {"UserId": "bob", "c": "bob's"}
    assert shop.profile(browser).attributes == {"a": 1, "d": "late, and ann's", "e": "ann's"}
    assert shop.named("device:devid_g", "g") == bob


def test_browser_that_moved__its_platform_ids_are_those_of_the_user_it_moved_to(shop: Shop) -> None:
    ads, browser = shop.platform(), somebody()
    known_by_key(shop, "bob")
    bob = shop.named("user", "bob")
    assert bob is not None
    shop.event(browser, ids=[("user", "ann")])
    shop.sync(browser, ads, "x", ttl_days=9)
    shop.absorb()
    assert shop.mappings(browser) == {(ads.pl, "x")}

    shop.event(browser, ids=[("user", "bob")])
    shop.sync(browser, ads, "x", ttl_days=9)
    shop.absorb()

    assert (shop.mappings(browser), shop.mappings(bob)) == (set(), {(ads.pl, "x")})
    assert shop.identity(f"platform:{ads.pl}", "x").expires_at is not None


def test_confirmed_browser__of_somebody_else_by_now__keeps_the_two_apart(shop: Shop) -> None:
    browser = somebody()
    shop.event(ids=[("user", "bob")], data={"b": 1})
    shop.event(browser, {"a": 1}, ids=[("user", "ann")])
    shop.absorb()

    shop.confirm(browser, [("user", "bob")])
    shop.event(browser, {"c": 1})
    shop.absorb()

    bob = shop.named("user", "bob")
    assert bob is not None
    assert shop.profile(browser).attributes == {"a": 1}
    assert shop.profile(bob).attributes == {"b": 1, "c": 1}
    assert [one for one in shop.profile(browser).ids if one[0] == "user"] == [["user", "ann"]]


def test_user_named_by_a_row_of_the_same_batch__is_not_taken_for_a_new_one(shop: Shop) -> None:
    browser = somebody()
    neighbour = type(browser)(int=(somebody().int >> 8 << 8) | (browser.int & 0xFF))
    shop.event(browser, {"a": 1}, ids=[("user", "7")])
    shop.absorber.absorb()  # the link is under way to the key's bucket
    shop.event(ids=[("user", "7")], data={"b": 2})
    shop.event(neighbour)

    shop.absorb()

    assert shop.profile(browser).attributes == {"a": 1, "b": 2}
    assert shop.total(browser) == 2


@pytest.mark.parametrize("keyed_first", [True, False])
def test_merge__under_way_while_both_become_customers_users__never_melts_them(shop: Shop, keyed_first: bool) -> None:
    """They share a device, and log in as two people while the hub is making one of them."""
    older, younger = somebody(), somebody()
    device = ("device:devid_g", "g")
    shop.event(older)
    shop.absorb()
    shop.event(younger)
    shop.absorb()
    logins = [(older, "ann"), (younger, "bob")]
    for steps in range(8):
        value = f"g-{steps}"
        shop.event(older, ids=[(device[0], value)])
        shop.event(younger, ids=[(device[0], value)])
        for _ in range(steps):
            shop.absorber.absorb()
        for user, key in logins if keyed_first else reversed(logins):
            shop.event(user, {key: steps}, ids=[("user", f"{key}-{steps}")])
        shop.absorb()
    for profile in Profile.objects.all():
        assert len([kind for kind, _ in profile.ids if kind == "user"]) <= 1
    totals = [row.activity[str(shop.pixel.id)]["total"] for row in Profile.objects.filter(merged_into=None)]
    assert sum(totals) == 2 + 8 * 4


def test_merge__is_recorded_with_its_cause(shop: Shop) -> None:
    browser, other = somebody(), somebody()
    shop.event(browser)
    shop.absorb()
    shop.event(other)
    shop.absorb()
    shop.event(browser, ids=[("device:devid_g", "g")])
    shop.event(other, ids=[("device:devid_g", "g")])
    shop.absorb()

    merge = ProfileMerge.objects.get()
    assert (merge.winner, merge.loser, merge.bucket) == (browser, other, buckets.of_user(browser))
    assert (merge.kind, merge.value, merge.pixel_id) == ("device:devid_g", "g", shop.pixel.id)
    assert ["cookie", str(other)] in shop.profile(browser).ids


def test_shared_account__takes_in_as_many_as_a_person_has_and_its_id_is_set_aside(shop: Shop) -> None:
    known_by_key(shop, "test")
    account = shop.named("user", "test")
    assert account is not None
    browsers = [somebody() for _ in range(MOST_IDS + 20)]
    for browser in browsers:
        shop.event(browser, {"a": 1}, ids=[("user", "test")])
    shop.absorb()

    assert len(shop.profile(account).ids) == MOST_IDS
    merged = Profile.objects.filter(merged_into=account).count()
    assert merged == MOST_IDS - 1
    apart = [browser for browser in browsers if shop.profile(browser).merged_into is None]
    assert {shop.total(browser) for browser in apart} == {1}
    (hot,) = SharedId.objects.all()
    assert (hot.kind, hot.value, hot.user_id, hot.times) == ("user", "test", account, len(apart))

    shop.event(ids=[("user", "test")], data={"b": 1})
    shop.event(apart[0], {"c": 1}, ids=[("user", "test")])
    shop.absorb()
    assert shop.profile(account).attributes == {"UserId": "test", "a": 1, "b": 1}
    assert shop.profile(apart[0]).attributes == {"a": 1, "c": 1}


def test_profile_with_as_many_ids_as_there_may_be__takes_no_more(shop: Shop) -> None:
    user, other = somebody(), somebody()
    for number in range(MOST_IDS + 5):
        shop.event(user, ids=[("device:devid_g", f"g-{number}")])
    shop.absorb()
    assert len(shop.profile(user).ids) == MOST_IDS
    assert SharedId.objects.count() == 5

    shop.event(other, {"a": 1}, ids=[("device:devid_g", "g-0")])
    shop.absorb()
    assert shop.profile(other).merged_into is None
    assert shop.profile(other).attributes == {"a": 1}


def test_browser_logged_in_as_another__is_in_the_story_and_the_export_of_the_user(shop: Shop) -> None:
    browser, bobs = somebody(), somebody()
    shop.event(browser, ids=[("user", "ann")], at=now_ms() - 3000)
    shop.event(bobs, ids=[("user", "bob")], at=now_ms() - 2000)
    shop.absorb()
    shop.event(browser, ids=[("user", "bob")], at=now_ms() - 1000)
    shop.absorb()
    bob, ann = shop.named("user", "bob"), shop.named("user", "ann")
    assert bob is not None
    assert ann is not None

    known = story(1, bob)
    exported = export(1, bob)

    assert known is not None
    assert KnownId("cookie", str(browser)) in known.identities
    assert exported is not None
    assert [one["user_id"] for one in exported["browsers_logged_in"]] == [browser]
    of_ann = story(1, ann)
    assert of_ann is not None
    assert str(bobs) not in {one.value for one in of_ann.identities}


def test_browsers_of_a_user__are_found_by_an_index(shop: Shop) -> None:
    known_by_key(shop, "bob")
    bob = shop.named("user", "bob")
    assert bob is not None
    profile = shop.profile(bob)
    with CaptureQueriesContext(connection) as captured:
        browsers_logged_in(profile)
    (query,) = captured.captured_queries
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")  # of so few rows all would be read
        cursor.execute(f"EXPLAIN {query['sql']}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "profile_login" in plan


def test_two_customer_users_on_one_device__stay_two(shop: Shop) -> None:
    device = ("device:devid_g", "the family's tablet")
    ann, bob = somebody(), somebody()

    shop.event(ann, {"a": 1}, ids=[("user", "ann"), device])
    shop.event(bob, {"b": 1}, ids=[("user", "bob"), device])
    shop.absorb()
    shop.event(ids=[("user", "ann"), device], data={"a": 2})
    shop.event(ids=[("user", "bob"), device], data={"b": 2})
    shop.absorb()

    assert shop.profile(ann).attributes == {"a": 2}
    assert shop.profile(bob).attributes == {"b": 2}
    assert (shop.named("user", "ann"), shop.named("user", "bob")) == (ann, bob)


def test_confirm_of_one_who_was_merged__links_its_ids_to_the_survivor(shop: Shop) -> None:
    older, browser = somebody(), somebody()
    shop.event(older, ids=[("device:devid_g", "g")])
    shop.absorb()
    shop.event(browser, ids=[("device:devid_g", "g")])
    shop.absorb()

    shop.confirm(browser, [("user", "7")])
    shop.absorb()

    assert shop.named("user", "7") == older


def test_same_ids_of_two_customers__name_different_users(shop: Shop) -> None:
    user = somebody()
    shop.event(user, {"a": 1})
    shop.absorb()
    query = f'{{"customer":2,"pixel":99,"at":{now_ms()},"user":"{user}","confirmed":true}}'
    shop.append(buckets.of_user(user), InboxKind.EVENT, query.encode(), b'{"b": 2}')
    shop.absorb()

    attributes = {one.customer_id: one.attributes for one in Profile.objects.filter(user_id=user)}
    assert attributes == {1: {"a": 1}, 2: {"b": 2}}


@pytest.mark.parametrize("born_first", ["browser", "key"])
def test_merge__mappings_and_deliveries_follow_and_no_platform_is_told_to_remove(shop: Shop, born_first: str) -> None:
    browser = somebody()
    shop.attribute("amount", "number")
    ads = shop.platform()
    buyers = shop.audience("buyers", rule("attribute.amount", ">", 100))
    activation = shop.activation(buyers, ads)
    for born in ("browser", "key") if born_first == "browser" else ("key", "browser"):
        if born == "browser":
            shop.event(browser, {"amount": 150})
        else:
            known_by_key(shop, "7", amount=200)
        shop.absorb()
    key_user = shop.named("user", "7")
    assert key_user is not None
    shop.sync(browser, ads, "x-browser")
    shop.sync(key_user, ads, "x-key")
    shop.absorb()
    shop.accept_all_deliveries()

    shop.event(browser, ids=[("user", "7")])
    shop.absorb()

    survivor = browser if born_first == "browser" else key_user
    assert shop.members(buyers) == {survivor}
    assert shop.mappings(survivor) == {(ads.pl, "x-browser"), (ads.pl, "x-key")}
    assert shop.wanted(activation) == {"x-browser", "x-key"}
    assert {shop.delivery(activation, x).user_id for x in ("x-browser", "x-key")} == {survivor}
    assert shop.due() == set()


def test_merge__that_ends_a_membership__removes_all_ids_of_the_person(shop: Shop) -> None:
    now, one, two = now_ms(), somebody(), somebody()
    shop.attribute("amount", "number")
    ads = shop.platform()
    buyers = shop.audience("buyers", rule("attribute.amount", ">", 100))
    activation = shop.activation(buyers, ads)
    shop.event(one, {"amount": 150}, at=now - 5_000)
    shop.sync(one, ads, "x-one")
    shop.absorb()
    shop.event(two, {"amount": 1}, at=now)
    shop.sync(two, ads, "x-two")
    shop.absorb()
    shop.accept_all_deliveries()

    shop.event(two, ids=[("device:devid_g", "g")], at=now)
    shop.event(one, ids=[("device:devid_g", "g")], at=now)
    shop.absorb()

    assert shop.members(buyers) == set()
    assert shop.wanted(activation) == set()
    assert shop.due() == {("x-one", False)}


def test_merged_browser_that_is_synced_again__causes_no_removal(shop: Shop) -> None:
    shop.attribute("amount", "number")
    ads = shop.platform()
    buyers = shop.audience("buyers", rule("attribute.amount", ">", 100))
    activation = shop.activation(buyers, ads)
    known_by_key(shop, "7", amount=200)
    owner, browser = shop.named("user", "7"), somebody()
    assert owner is not None
    shop.event(browser, ids=[("user", "7")])
    shop.sync(browser, ads, "x")
    shop.absorb()
    shop.accept_all_deliveries()

    shop.sync(browser, ads, "x")
    removals = set()
    while Inbox.objects.exists():
        shop.absorber.absorb()
        removals |= {due for due in shop.due() if not due[1]}

    assert removals == set()
    assert shop.wanted(activation) == {"x"}
    assert shop.mappings(owner) == {(ads.pl, "x")}
