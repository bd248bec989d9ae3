"""Static audiences: whoever is on the list is in, whatever happens to the people on it."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from audiences import listing, services
from audiences.explaining import explain
from audiences.listing import USER_KEYS, USERS
from audiences.models import Audience, ListChange, ListChangeBucket, ListedUser
from core.inbox import InboxKind
from core.messages import OptOutChoice, encode
from core.models import Inbox
from core.transactions import plain_cursor
from lookalikes.services import create_lookalike
from pipeline.privacy import erasures
from profiles.models import Profile
from tests.support.shop import Shop, now_ms, rule, somebody

ADD, REMOVE = ListChange.Action.ADD, ListChange.Action.REMOVE


@pytest.fixture
def vips(shop: Shop) -> Audience:
    return listing.create_static(shop.customer, "VIPs")


def change(audience: Audience, action: str, kind: str, *given: object) -> ListChange:
    ids = listing.read_ids(audience.customer, kind, map(str, given))
    return listing.change_list(audience, action, ids)


def counts(of: ListChange) -> tuple[int, int, int]:
    found = listing.counts_of([of.pk])[of.pk]
    return found.changed, found.unchanged, found.unknown


def keyed(shop: Shop, key: str) -> UUID:
    shop.event(ids=[("user", key)], data={"UserId": key})
    shop.absorb()
    found = shop.named("user", key)
    assert found is not None
    return found


def choose(shop: Shop, user: UUID, kind: InboxKind) -> None:
    shop.append(user.int & 0xFF, kind, encode(OptOutChoice(user=str(user), at=now_ms())))
    shop.absorb()


def test_list__ids_of_both_kinds__holds_those_who_are_known_and_makes_nobody(shop: Shop, vips: Audience) -> None:
    visitor, buyer = somebody(), keyed(shop, "4711")
    shop.event(visitor)
    shop.absorb()
    users = Profile.objects.count()

    by_id = change(vips, ADD, USERS, visitor, somebody())
    by_key = change(vips, ADD, USER_KEYS, "4711", " 4711.0 ", "nobody knows this one")
    shop.absorb()

    assert shop.members(vips) == {visitor, buyer}
    assert counts(by_id) == (1, 0, 1)
    assert counts(by_key) == (1, 1, 1)
    assert Profile.objects.count() == users
    assert services.size(vips) == 2


def test_list__ids_of_nobody__are_refused_with_their_line(shop: Shop) -> None:
    found = listing.read_ids(shop.customer, USER_KEYS, ["4711", "", "undefined", "0", "x" * 300, "4712"])
    assert [value for _, value in found.good] == ["4711", "4712"]
    assert [line for line, _ in found.refused] == [3, 4, 5]
    assert not any("undefined" in message for _, message in found.refused)


def test_list__mail_addresses__name_those_who_are_known_by_their_hash(shop: Shop, vips: Audience) -> None:
    (once,) = listing.read_ids(shop.customer, USER_KEYS, ["jo@example.com"]).good
    user = keyed(shop, once[1])
    change(vips, ADD, USER_KEYS, "jo@example.com")
    shop.absorb()
    assert shop.members(vips) == {user}


def test_remove__of_a_member__is_told_to_the_platform_and_to_who_asks_about_the_audience(
    shop: Shop, vips: Audience
) -> None:
    platform = shop.platform()
    stays, goes = somebody(), somebody()
    for user in (stays, goes):
        shop.event(user)
        shop.sync(user, platform, f"ads-{user}")
    shop.absorb()
    others = shop.audience("not VIPs", rule("audience", "notIn", vips.id))
    activation = shop.activation(vips, platform)
    change(vips, ADD, USERS, stays, goes)
    shop.absorb()
    assert shop.wanted(activation) == {f"ads-{stays}", f"ads-{goes}"}
    assert shop.members(others) == set()

    gone = change(vips, REMOVE, USERS, goes)
    shop.absorb()

    assert shop.members(vips) == {stays}
    assert shop.wanted(activation) == {f"ads-{stays}"}
    assert shop.members(others) == {goes}
    assert counts(gone) == (1, 0, 0)


@pytest.mark.parametrize("late", [ADD, REMOVE])
def test_list__rows_that_arrive_in_disorder__what_was_said_last_holds(shop: Shop, vips: Audience, late: str) -> None:
    user = keyed(shop, "4711")
    change(vips, ADD if late == REMOVE else REMOVE, USER_KEYS, "4711")
    change(vips, late, USER_KEYS, "4711")
    first, last = Inbox.objects.filter(kind=InboxKind.EVENT).order_by("id")
    Inbox.objects.filter(bucket=first.bucket, id=first.id).update(
        received_at=last.received_at + timedelta(seconds=1)
    )  # the first of the queue was accepted last

    shop.absorb()

    assert shop.members(vips) == ({user} if late == REMOVE else set())


def test_merge__of_a_listed_user__brings_the_survivor_in(shop: Shop, vips: Audience) -> None:
    older, younger = somebody(), somebody()
    for user in (older, younger):
        shop.event(user)
        shop.absorb()
    change(vips, ADD, USERS, younger)
    shop.absorb()

    for user in (older, younger):
        shop.event(user, ids=[("device:devid_g", "a-telephone-1")])
        shop.absorb()

    assert shop.profile(younger).merged_into == older
    assert shop.members(vips) == {older}
    assert set(ListedUser.objects.values_list("user_id", flat=True)) == {older}

    change(vips, REMOVE, USERS, younger)  # the id of a merged user names the survivor
    shop.absorb()
    assert shop.members(vips) == set()


def test_merge__of_who_was_taken_off_later__leaves_the_survivor_out(shop: Shop, vips: Audience) -> None:
    older, younger = somebody(), somebody()
    for user in (older, younger):
        shop.event(user)
        shop.absorb()
    change(vips, ADD, USERS, older, younger)
    shop.absorb()
    change(vips, REMOVE, USERS, younger)
    for user in (older, younger):
        shop.event(user, ids=[("device:devid_g", "a-telephone-2")])
    shop.absorb()
    assert shop.members(vips) == set()


def test_erasure__of_a_listed_user__leaves_no_entry_and_earlier_additions_bring_nobody_back(
    shop: Shop, vips: Audience
) -> None:
    user = somebody()
    shop.event(user)
    shop.absorb()
    change(vips, ADD, USERS, user)
    shop.absorb()
    change(vips, ADD, USERS, user)  # waits, and is older than the erasure
    waiting = list(Inbox.objects.values())
    Inbox.objects.all().delete()

    erasures.request(shop.customer.m, user, "test")
    shop.absorb()
    shop.event(user, received=now_ms() + 1000)  # the browser comes again
    shop.absorb()
    for row in waiting:
        shop.append(row["bucket"], row["kind"], bytes(row["query"]), None, row["received_at"])
    shop.absorb()

    assert shop.members(vips) == set()
    assert not ListedUser.objects.exists()


def test_opt_out__of_a_listed_user__leaves_and_comes_back_unless_taken_off(shop: Shop, vips: Audience) -> None:
    one, other = somebody(), somebody()
    for user in (one, other):
        shop.event(user)
    shop.absorb()
    change(vips, ADD, USERS, one, other)
    shop.absorb()
    for user in (one, other):
        choose(shop, user, InboxKind.OPT_OUT)
    assert shop.members(vips) == set()

    change(vips, REMOVE, USERS, other)
    again = change(vips, ADD, USERS, one)
    shop.absorb()
    assert counts(again) == (0, 0, 1)
    for user in (one, other):
        choose(shop, user, InboxKind.OPT_IN)

    assert shop.members(vips) == {one}


def test_browser__that_moved_to_another_user__is_itself_on_a_list(shop: Shop, vips: Audience) -> None:
    browser = somebody()
    shop.event(browser, ids=[("user", "ann")], data={"UserId": "ann"})
    shop.absorb()
    shop.event(browser, ids=[("user", "bea")], data={"UserId": "bea"})
    shop.absorb()
    change(vips, ADD, USERS, browser)
    shop.absorb()
    assert shop.members(vips) == {browser}


def test_paused__list_goes_on__members_follow_once_it_is_resumed(shop: Shop, vips: Audience) -> None:
    user = somebody()
    shop.event(user)
    shop.absorb()
    services.pause_audience(vips)
    change(vips, ADD, USERS, user)
    shop.absorb()
    assert shop.members(vips) == set()
    services.resume_audience(vips)
    shop.absorb()
    assert shop.members(vips) == {user}


def test_deletion__of_a_static_audience__forgets_its_list(shop: Shop, vips: Audience) -> None:
    user = somebody()
    shop.event(user)
    shop.absorb()
    change(vips, ADD, USERS, user)
    shop.absorb()
    change(vips, ADD, USERS, somebody())
    services.delete_audience(vips)
    shop.absorb()
    assert not ListedUser.objects.exists()
    assert not ListChangeBucket.objects.exists()
    assert not ListChange.objects.exists()


def test_explain__of_a_static_audience__says_whether_the_user_is_on_its_list(shop: Shop, vips: Audience) -> None:
    inside, outside = somebody(), somebody()
    for user in (inside, outside):
        shop.event(user)
    shop.absorb()
    change(vips, ADD, USERS, inside)
    shop.absorb()
    with plain_cursor() as cursor:
        found = [explain(cursor, vips, user) for user in (inside, outside)]
    assert [one is not None and (one.member, one.tree["true"]) for one in found] == [(True, True), (False, False)]


def test_seed__a_static_audience__is_as_good_as_any(shop: Shop, vips: Audience) -> None:
    made = create_lookalike(shop.customer, "like VIPs", vips, {"percent": 5})
    assert made.seed == vips
    with pytest.raises(services.AudienceInUseError, match="lookalikes have their seed here"):
        services.refuse_deletion(vips)


def test_list__of_an_audience_with_a_rule__cannot_be_changed(shop: Shop) -> None:
    ruled = shop.audience("seen", rule(f"pixel.{shop.pixel.id}.count", ">=", 1))
    with pytest.raises(services.AudienceInUseError, match="only a static audience has a list"):
        change(ruled, ADD, USERS, somebody())


def test_time__of_additions__is_when_they_were_accepted(shop: Shop, vips: Audience) -> None:
    user = somebody()
    shop.event(user)
    shop.absorb()
    before = datetime.now(UTC)
    change(vips, ADD, USERS, user)
    shop.absorb()
    assert before <= ListedUser.objects.get().at <= datetime.now(UTC)
