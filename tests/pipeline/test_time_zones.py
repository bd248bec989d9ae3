"""Days are those of the customer's time zone: in counts, in conditions of the calendar, and when members are looked at
again."""

from datetime import UTC, datetime, timedelta

import pytest

from audiences.models import Audience, Membership
from audiences.services import follow_time_zone
from core import clock
from core.clock import milliseconds
from tests.support.shop import Shop, rule, somebody

NOON = datetime(2026, 10, 24, 22, 30, tzinfo=UTC)
"""Half past midnight in Berlin: of a day of 25 hours."""
MIDNIGHT = datetime(2026, 10, 25, 23, 0, tzinfo=UTC)


def ms(text: str) -> int:
    return milliseconds(datetime.fromisoformat(text))


def set_clock(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    monkeypatch.setattr(clock, "ahead", now - datetime.now(UTC))


def set_zone(shop: Shop, zone: str) -> None:
    shop.customer.time_zone = zone
    shop.customer.save()


def test_event__on_either_side_of_the_customers_midnight__counts_on_its_own_day(shop: Shop) -> None:
    user, today = somebody(), 20_750  # 2026-10-24
    set_zone(shop, "Asia/Kathmandu")
    for at in ("2026-10-24T18:14:59Z", "2026-10-24T18:15:00Z", "2026-10-25T18:14:59Z"):
        shop.event(user, at=ms(at))
    shop.absorb()

    assert shop.profile(user).activity[str(shop.pixel.pk)]["days"] == {str(today): 1, str(today + 1): 2}


def test_members_of_today__leave_at_the_customers_midnight_after_a_day_of_25_hours(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_clock(monkeypatch, NOON)
    set_zone(shop, "Europe/Berlin")
    shop.attribute("bought", "time")
    user, later = somebody(), somebody()
    rules = (
        rule(f"pixel.{shop.pixel.pk}.count", ">=", 1, days=1),
        rule("attribute.bought", "isToday", None),
        rule("attribute.bought", "anniversaryWithinNext", "PT1S"),
    )
    audiences = [shop.audience(f"by events {place}", one) for place, one in enumerate(rules)]
    shop.event(user, {"bought": milliseconds(NOON) // 1000}, at=milliseconds(NOON))
    shop.event(later, {"bought": "2026-11-02"}, at=milliseconds(NOON - timedelta(days=2)))
    shop.absorb()
    audiences += [shop.audience(f"built {place}", one) for place, one in enumerate(rules)]
    assert [shop.members(one) for one in audiences] == [{user}] * 6
    looks = Membership.objects.filter(user_id=user).values_list("look_again_at", flat=True)
    assert {MIDNIGHT} <= set(looks)
    assert all(look is not None and look <= MIDNIGHT for look in looks)

    set_clock(monkeypatch, MIDNIGHT - timedelta(minutes=5))
    while shop.absorber.absorb_due():
        pass
    assert [shop.members(one) for one in audiences] == [{user}] * 6

    set_clock(monkeypatch, MIDNIGHT)
    while shop.absorber.absorb_due():
        pass
    assert [shop.members(one) for one in audiences] == [set()] * 6


def test_change_of_zone__evaluates_again_the_audiences_that_ask_about_days_and_no_others(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_clock(monkeypatch, NOON)  # which is not today in UTC yet
    shop.attribute("bought", "time")
    user = somebody()
    today = shop.audience("today", rule("attribute.bought", "isToday", None))
    since = shop.audience("since", rule("attribute.bought", ">=", "2026-10-25"))
    always = shop.audience("always", rule("attribute.bought", "notNull", None))
    shop.event(user, {"bought": milliseconds(NOON - timedelta(hours=1)) // 1000})
    shop.absorb()
    assert [shop.members(one) for one in (today, since, always)] == [{user}, set(), {user}]

    set_zone(shop, "Europe/Berlin")
    assert follow_time_zone(shop.customer.pk, by="Ann") == ["today", "since"]
    shop.absorb()

    assert [shop.members(one) for one in (today, since, always)] == [set(), set(), {user}]
    set_zone(shop, "Asia/Kathmandu")
    follow_time_zone(shop.customer.pk)
    shop.absorb()
    assert [shop.members(one) for one in (today, since, always)] == [{user}, {user}, {user}]
    assert [Audience.objects.get(pk=one.pk).version for one in (today, since, always)] == [3, 3, 1]
    assert today.versions.get(version=2).change == "time zone changed"


def test_change_of_zone__times_that_came_without_one__are_read_again_so_a_birthday_stays_on_its_date(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_clock(monkeypatch, datetime(2026, 5, 8, 12, tzinfo=UTC))
    shop.attribute("born", "time")
    user, other = somebody(), somebody()
    birthdays = shop.audience("birthdays", rule("attribute.born", "anniversaryWithinNext", "PT1S"))
    shop.event(user, {"born": "1990-05-08"})
    shop.event(other, {"born": "1990-05-08T03:00:00Z"})
    shop.absorb()
    assert shop.members(birthdays) == {user, other}

    set_zone(shop, "America/Los_Angeles")
    follow_time_zone(shop.customer.pk)
    shop.absorb()

    assert shop.profile(user).attributes["born"] == ms("1990-05-08T07:00:00Z") // 1000
    assert shop.profile(other).attributes["born"] == ms("1990-05-08T03:00:00Z") // 1000
    assert shop.members(birthdays) == {user}
