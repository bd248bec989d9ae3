"""The console's page of match rates."""

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from console.charts import ShareChart
from core.models import Customer
from integrations.models import Platform
from profiles.models import KnownUsers
from usersync.models import MappedUsers, MatchDay


@pytest.fixture
def ads(db: None) -> Platform:
    shop = Customer.objects.create(m=1, name="Shop")
    Platform.objects.create(customer=shop, name="First", connector="none")
    platform = Platform.objects.create(customer=shop, name="<b>Ads</b>", connector="none")
    KnownUsers.objects.create(bucket=1, customer_id=1, users=12_000)
    MappedUsers.objects.create(bucket=1, platform_id=platform.pl, users=3_000)
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    MatchDay.objects.create(platform_id=platform.pl, day=yesterday, known=10, mapped=5)
    return platform


def test_match_rate__of_the_platform_that_is_named__is_shown_with_its_days(console: Client, ads: Platform) -> None:
    page = console.get(f"/match-rate/?platform={ads.pl}").content.decode()

    assert all(text in page for text in ("12,000", "3,000", "25.0 %", "50.0 %", "<polyline"))
    assert "<b>Ads" not in page


def test_match_rate__button_of_a_platform__leads_there(console: Client, ads: Platform) -> None:
    assert "match-rate" in console.get(f"/integrations/platform/{ads.pl}/change/").content.decode()
    answer = console.get(f"/integrations/platform/{ads.pl}/match-rate/")

    assert (answer.status_code, answer.headers["Location"]) == (302, f"/match-rate/?platform={ads.pl}")


@pytest.mark.parametrize("query", ["", "?platform=", "?platform=404", "?platform=x"])
def test_match_rate__of_no_platform__opens(console: Client, query: str) -> None:
    assert console.get(f"/match-rate/{query}").status_code == 200


def test_chart__breaks_its_line_where_there_is_no_share() -> None:
    chart = ShareChart([("a", 0.0), ("b", 1.0), ("c", None), ("d", 0.5)])

    assert chart.lines == ["0.0,160.0 200.0,0.0", "600.0,80.0"]
    assert chart.dots[-1] == ("600.0", "80.0", "d: 50.0 %")
    assert ShareChart([("a", None)]).lines == []
