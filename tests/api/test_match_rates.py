"""How well platforms are matched: in the API, and kept day by day."""

from datetime import UTC, date, datetime, timedelta

import pytest

from core.models import Customer
from dmphub.management.commands import sweep
from integrations.models import Platform
from pipeline import match_rates
from profiles.models import KnownUsers
from tests.support.api_caller import Caller, caller
from usersync.models import MappedUsers, MatchDay

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TODAY = NOW.date()


@pytest.fixture(autouse=True)
def _today(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(match_rates, "_today", lambda: TODAY)


@pytest.fixture
def matched(shop: Customer, rival: Customer, platform: Platform) -> Platform:
    """In two buckets: 10 known users, 4 of them mapped; others belong to other platforms and customers."""
    for bucket, known, mapped in ((0, 7, 1), (255, 3, 3)):
        KnownUsers.objects.create(bucket=bucket, customer_id=shop.m, users=known)
        KnownUsers.objects.create(bucket=bucket, customer_id=rival.m, users=50)
        MappedUsers.objects.create(
            bucket=bucket, platform_id=platform.pl, users=mapped, newest_sync=NOW - timedelta(hours=mapped)
        )
        MappedUsers.objects.create(bucket=bucket, platform_id=platform.pl + 1, users=9)
    return platform


def test_match_rate__is_of_the_customers_known_users(admin: Caller, matched: Platform) -> None:
    answer = admin.get(f"platforms/{matched.pl}/match-rate/")

    assert answer.body == {
        "known": 10,
        "mapped": 4,
        "share": 0.4,
        "newest_sync": "2026-03-01T11:00:00Z",
        "days": [{"day": "2026-03-01", "known": 10, "mapped": 4, "share": 0.4}],
    }


def test_match_rate__of_nobody__has_no_share(admin: Caller, platform: Platform) -> None:
    answer = admin.get(f"platforms/{platform.pl}/match-rate/")

    assert (answer.body["known"], answer.body["share"], answer.body["newest_sync"]) == (0, None, None)


def test_days__are_what_was_kept_last_on_each(
    admin: Caller, matched: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    def on(day: date, known: int) -> None:
        monkeypatch.setattr(match_rates, "_today", lambda: day)
        KnownUsers.objects.filter(bucket=0, customer_id=matched.customer_id).update(users=known - 3)
        match_rates.keep_today()

    on(TODAY - timedelta(days=2), 4)
    on(TODAY - timedelta(days=2), 5)
    on(TODAY - timedelta(days=1), 8)
    on(TODAY, 10)
    KnownUsers.objects.filter(bucket=0, customer_id=matched.customer_id).update(users=13)

    days = admin.get(f"platforms/{matched.pl}/match-rate/").body["days"]
    assert [(one["day"], one["known"], one["share"]) for one in days] == [
        ("2026-02-27", 5, 0.8),
        ("2026-02-28", 8, 0.5),
        ("2026-03-01", 16, 0.25),
    ]
    assert [one["day"] for one in admin.get(f"platforms/{matched.pl}/match-rate/?days=2").body["days"]] == [
        "2026-02-28",
        "2026-03-01",
    ]
    assert MatchDay.objects.get(platform_id=matched.pl, day=TODAY).newest_sync == NOW - timedelta(hours=1)


@pytest.mark.parametrize("query", ["?days=0", "?days=x", "?days=-1", "?days=99999999999", "?days=²", "?since=1"])
def test_match_rate__asked_wrongly__is_400(admin: Caller, platform: Platform, query: str) -> None:
    assert admin.get(f"platforms/{platform.pl}/match-rate/{query}").status == 400


def test_match_rate__of_another_customers_platform__is_404(rival: Customer, matched: Platform) -> None:
    assert caller("admin", rival).get(f"platforms/{matched.pl}/match-rate/").status == 404
    assert Caller(None).get(f"platforms/{matched.pl}/match-rate/").status == 401


def test_sweeper__keeps_each_day_among_its_chores() -> None:
    assert match_rates.keep_today in sweep.CHORES
