"""Ids that never came back go after a day."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db.models import F

from pipeline import timed
from profiles.models import Profile
from profiles.store import UNCONFIRMED
from tests.support.shop import Shop, somebody

DAY = timedelta(days=1)


def let_pass(shop: Shop, time: timedelta) -> None:
    Profile.objects.update(created_at=F("created_at") - time)
    shop.absorber.timed.look_everywhere()


def forget(shop: Shop) -> int:
    done = 0
    while took := shop.absorber.absorb_due():
        done += took
    return done


def test_id_that_never_came_back__goes_after_a_day_and_all_others_stay(shop: Shop) -> None:
    once, opted_out, confirmed, keyed, younger = (somebody() for _ in range(5))
    for user in (once, opted_out, confirmed, younger):
        shop.event(user, {"a": 1}, confirmed=False)
    shop.event(keyed, ids=[("user", "7")], confirmed=False)
    shop.absorb()
    shop.event(confirmed)
    shop.event(confirmed, ids=[("cookie", str(younger))])
    shop.absorb()
    Profile.objects.filter(user_id=opted_out).update(opted_out=True)

    let_pass(shop, DAY - timedelta(minutes=1))
    assert forget(shop) == 0
    let_pass(shop, timedelta(minutes=2))
    assert forget(shop) == 1
    assert not Profile.objects.filter(user_id=once).exists()
    assert Profile.objects.count() == 4


def test_id_that_comes_back_after_it_went__begins_anew(shop: Shop) -> None:
    user = somebody()
    shop.event(user, {"a": 1}, confirmed=False)
    shop.absorb()
    let_pass(shop, 2 * DAY)
    forget(shop)

    shop.confirm(user)
    shop.event(user, {"b": 1})
    shop.absorb()
    assert shop.profile(user).attributes == {"b": 1}
    assert shop.profile(user).created_at > datetime.now(UTC) - DAY


def test_many__go_in_bounded_batches_found_by_an_index(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timed, "BATCH", 8)
    for _ in range(30):
        shop.event(somebody(), confirmed=False)
    shop.absorb()
    let_pass(shop, 2 * DAY)

    assert shop.absorber.absorb_due() <= 8
    statement = UNCONFIRMED
    for place in ("$1", "$2", "$3", "$4"):
        statement = statement.replace("%s", place, 1)
    shop.absorber._connection.execute("PREPARE waiting AS " + statement)
    plan = shop.absorber._connection.execute("EXPLAIN EXECUTE waiting ('{1,2}', '-infinity', now(), 8)").fetchall()
    assert "profile_unconfirmed" in str(plan)
    assert forget(shop) >= 22
