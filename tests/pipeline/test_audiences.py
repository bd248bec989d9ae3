"""Who enters and who leaves."""

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction

from activation import services as activations
from audiences import services as audiences
from audiences.models import Audience, Membership
from audiences.rules.errors import RuleError
from core.models import Inbox
from pipeline.absorb import bulk, bulk_builds
from tests.support.edge_process import until
from tests.support.shop import DAY, Shop, now_ms, rule, somebody


@pytest.fixture
def amounts(shop: Shop) -> None:
    shop.attribute("amount", "number")


@pytest.mark.usefixtures("amounts")
def test_member__enters_and_leaves_as_the_attribute_changes(shop: Shop) -> None:
    user = somebody()
    big = shop.audience("big", rule("attribute.amount", ">", 100))
    for amount, member in ((99, False), (101, True), (100, False), (1000, True)):
        shop.event(user, {"amount": amount})
        shop.absorb()
        assert shop.members(big) == ({user} if member else set())
        assert audiences.size(big) == int(member)


@pytest.mark.usefixtures("amounts")
def test_unconfirmed_user__is_in_no_audience_until_confirmed(shop: Shop) -> None:
    user = somebody()
    big = shop.audience("big", rule("attribute.amount", ">", 100))
    shop.event(user, {"amount": 500}, confirmed=False)
    shop.absorb()
    assert shop.members(big) == set()

    shop.confirm(user)
    shop.absorb()
    assert shop.members(big) == {user}


@pytest.mark.usefixtures("amounts")
def test_audience__on_a_machine_where_the_time_of_bulk_work_is_always_over__is_built_all_the_same(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where it takes long to find out for which commands there is nothing to do."""
    monkeypatch.setattr(bulk, "SECONDS", 0.0)
    users = {somebody() for _ in range(5)}
    for user in users:
        shop.event(user, {"amount": 500})
    shop.absorb()

    assert shop.members(shop.audience("big", rule("attribute.amount", ">", 100))) == users


def test_counts__follow_events(shop: Shop) -> None:
    user = somebody()
    regulars = shop.audience("regulars", rule(f"pixel.{shop.pixel.id}.count", ">=", 3, days=7))
    for age in (0, 0, 9):
        shop.event(user, at=now_ms() - age * DAY)
    shop.absorb()
    assert shop.members(regulars) == set()

    shop.event(user, at=now_ms() - 2 * DAY)
    shop.absorb()
    assert shop.members(regulars) == {user}


@pytest.mark.usefixtures("amounts")
def test_audience_of_audiences__follows_in_the_same_batch(shop: Shop) -> None:
    user = somebody()
    big = shop.audience("big", rule("attribute.amount", ">", 100))
    huge = shop.audience("huge", rule("attribute.amount", ">", 1000))
    merely_big = shop.audience(
        "merely big",
        {
            "combinator": "and",
            "rules": [
                {"field": "audience", "operator": "in", "value": big.id},
                {"field": "audience", "operator": "notIn", "value": [huge.id]},
            ],
        },
    )
    for amount, member in ((500, True), (5000, False), (400, True), (1, False)):
        shop.event(user, {"amount": amount})
        assert shop.absorber.absorb() == 1
        assert shop.members(merely_big) == ({user} if member else set())


def test_platform_rule__follows_syncs(shop: Shop) -> None:
    user, ads = somebody(), shop.platform()
    known = shop.audience("known there", rule("platform", "in", ads.pl))
    shop.sync(user, ads, "x")
    shop.absorb()
    assert shop.members(known) == {user}

    shop.sync(user, ads, "")
    shop.absorb()
    assert shop.members(known) == set()


def test_window__expires_by_itself(shop: Shop) -> None:
    user, ads = somebody(), shop.platform()
    recent = shop.audience("recent", rule(f"pixel.{shop.pixel.id}.last", "withinLast", "PT7S"))
    lapsed = shop.audience("lapsed", rule("audience", "notIn", recent.id))
    activation = shop.activation(recent, ads)
    shop.sync(user, ads, "x")
    shop.event(user, at=now_ms() - 1_000)  # a busy machine needs seconds to absorb it
    shop.absorb()
    assert (shop.members(recent), shop.members(lapsed)) == ({user}, set())

    assert shop.absorber.absorb_due() == 0  # not yet
    due = Membership.objects.get(audience_id=recent.id).look_again_at
    assert due is not None
    assert due - datetime.now(UTC) < timedelta(seconds=6)
    time.sleep(max(0.0, (due - datetime.now(UTC)).total_seconds()))
    assert shop.absorber.absorb_due() == 1
    shop.absorb()

    assert (shop.members(recent), shop.members(lapsed)) == (set(), {user})
    assert shop.wanted(activation) == set()
    assert shop.absorber.absorb_due() == 0


@pytest.mark.usefixtures("amounts")
@pytest.mark.parametrize("page", [3, 1_000])
def test_build__takes_in_the_profiles_that_are_there(shop: Shop, monkeypatch: pytest.MonkeyPatch, page: int) -> None:
    for of in (bulk, bulk_builds):
        monkeypatch.setattr(of, "PAGE", page)
    users = [somebody() for _ in range(40)]
    one_bucket = [type(users[0])(int=(user.int >> 8 << 8) | 0x42) for user in users]
    for amount, user in enumerate(one_bucket):
        shop.event(user, {"amount": amount})
    shop.event(somebody(), {"amount": 999}, confirmed=False)
    shop.absorb()

    big = shop.audience("big", rule("attribute.amount", ">=", 20))

    assert shop.members(big) == set(one_bucket[20:])
    assert audiences.size(big) == 20
    assert audiences.finish_builds() == 1
    big.refresh_from_db()
    assert big.status == Audience.Status.LIVE


@pytest.mark.usefixtures("amounts")
def test_builds_of_audiences_that_ask_about_each_other__at_once__agree(shop: Shop) -> None:
    ads = shop.platform()
    users = [somebody() for _ in range(5)]
    for amount, user in enumerate(users):
        shop.event(user, {"amount": amount})
        shop.sync(user, ads, f"x{amount}")
    shop.absorb()

    known = audiences.create_audience(shop.customer, "known", rule("platform", "in", ads.pl))
    big = audiences.create_audience(shop.customer, "big", rule("attribute.amount", ">=", 3))
    both = audiences.create_audience(
        shop.customer,
        "both",
        {"combinator": "and", "rules": [rule("audience", "in", big.id), rule("audience", "in", known.id)]},
    )
    other = audiences.create_audience(shop.customer, "other", rule("platform", "notIn", ads.pl))
    shop.absorb()

    assert shop.members(known) == set(users)
    assert shop.members(both) == shop.members(big) == set(users[3:])
    assert shop.members(other) == set()
    assert [audiences.size(one) for one in (known, big, both, other)] == [5, 2, 2, 0]


@pytest.mark.usefixtures("amounts")
def test_changed_rule__members_enter_and_leave_with_those_of_audiences_that_ask(shop: Shop) -> None:
    users = [somebody() for _ in range(6)]
    for amount, user in enumerate(users):
        shop.event(user, {"amount": amount})
    shop.absorb()
    big = shop.audience("big", rule("attribute.amount", ">=", 4))
    small = shop.audience("small", rule("audience", "notIn", big.id))

    audiences.change_rule(big, rule("attribute.amount", "between", [1, 4]))
    shop.absorb()

    assert shop.members(big) == set(users[1:5])
    assert shop.members(small) == {users[0], users[5]}


@pytest.mark.usefixtures("amounts")
def test_paused_audience__keeps_its_members_and_catches_up_when_resumed(shop: Shop) -> None:
    stays, goes, comes = somebody(), somebody(), somebody()
    for user, amount in ((stays, 5), (goes, 5), (comes, 0)):
        shop.event(user, {"amount": amount}, at=now_ms() - 1_000)
    big = shop.audience("big", rule("attribute.amount", ">=", 4))
    audiences.pause_audience(big)
    shop.event(goes, {"amount": 0})
    shop.event(comes, {"amount": 9})
    shop.absorb()
    assert shop.members(big) == {stays, goes}

    audiences.resume_audience(big)
    shop.absorb()
    assert shop.members(big) == {stays, comes}


@pytest.mark.usefixtures("amounts")
@pytest.mark.parametrize("page", [3, 1_000])
def test_backfill__wants_the_members_that_are_mapped(shop: Shop, monkeypatch: pytest.MonkeyPatch, page: int) -> None:
    for of in (bulk, bulk_builds):
        monkeypatch.setattr(of, "PAGE", page)
    ads, other = shop.platform(), shop.platform("other")
    users = [type(somebody())(int=(somebody().int >> 8 << 8) | 0x42) for _ in range(20)]
    for number, user in enumerate(users):
        shop.event(user, {"amount": number})
        if number % 2:
            shop.sync(user, ads, f"x{number}")
        shop.sync(user, other, f"y{number}")
    shop.absorb()
    big = shop.audience("big", rule("attribute.amount", ">=", 10))

    activation = shop.activation(big, ads)

    assert shop.wanted(activation) == {"x11", "x13", "x15", "x17", "x19"}
    assert activations.counts(activation) == {
        "wanted": 5,
        "acknowledged": 0,
        "due": 5,
        "waiting_for_mapping": 5,
        "dead": 0,
        "kept": 0,
    }
    assert not Inbox.objects.exists()


@pytest.mark.usefixtures("amounts")
def test_two_changes_made_at_once__close_no_circle(shop: Shop) -> None:
    one, other = (shop.audience(name, rule("attribute.amount", ">", 100)) for name in ("one", "other"))
    refused: list[RuleError] = []

    def change_other() -> None:
        try:
            audiences.change_rule(other, rule("audience", "in", one.pk))
        except RuleError as error:
            refused.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=change_other)
    with transaction.atomic():
        audiences.change_rule(one, rule("audience", "in", other.pk))
        thread.start()
        until(_somebody_waits)
    thread.join()

    assert [fault.path for error in refused for fault in error.errors] == ["rules[0].value"]


def _somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted)")
        return bool(cursor.fetchone()[0])
