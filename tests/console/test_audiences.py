"""What a marketer sees of audiences."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client

from audiences import services
from audiences.models import Audience, AudienceBucket, AudienceHour
from tests.support.console_forms import submit
from tests.support.shop import Shop as People
from tests.support.shop import rule as one
from tests.support.shop import somebody
from tests.support.tables import db

__all__ = ["db"]


@pytest.fixture
def boss(db: None) -> Iterator[User]:
    """What this file commits is not rolled back."""
    User.objects.all().delete()
    yield User.objects.create(username="boss", is_staff=True, is_superuser=True)
    LogEntry.objects.all().delete()
    User.objects.all().delete()


@pytest.fixture
def people(db: None) -> Any:
    found = People()
    found.attribute("amount", "number")
    yield found
    found.absorber.close()


def text(console: Client, address: str) -> str:
    answer = console.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def known(people: People, count: int) -> list[Any]:
    users = [somebody() for _ in range(count)]
    for amount, user in enumerate(users):
        people.event(user, {"amount": amount})
    people.absorb()
    return users


def test_estimate__as_it_is_typed__tells_people_words_and_faults(console: Client, people: People) -> None:
    known(people, 5)

    def told(rule: str, **more: Any) -> str:
        return console.post("/audiences/estimate/", {"rule": rule, "customer": 1, **more}).content.decode()

    assert ">2<" in told(json.dumps(one("attribute.amount", ">=", 3)))
    assert "attribute amount is at least 3" in told(json.dumps(one("attribute.amount", ">=", 3)))
    assert "rules[0].field" in told(json.dumps(one("attribute.x", ">=", 3)))
    assert "is not JSON" in told("{")
    assert "Choose the customer" in told("{}", customer="")


def test_estimate__of_a_saved_audience__tells_who_would_enter_and_leave(console: Client, people: People) -> None:
    known(people, 5)
    big = people.audience("big", one("attribute.amount", ">=", 3))
    given = {"rule": json.dumps(one("attribute.amount", "<", 4)), "audience": big.pk}
    page = console.post("/audiences/estimate/", given).content.decode()
    assert "<strong>3</strong> would enter" in page
    assert "<strong>1</strong> would leave" in page
    form = text(console, f"/audiences/audience/{big.pk}/change/")
    assert 'hx-post="/audiences/estimate/"' in form


def test_why__shows_each_condition(console: Client, people: People) -> None:
    (user, *_) = known(people, 1)
    big = people.audience("<b>big", one("attribute.amount", ">=", 3))
    page = text(console, f"/audiences/{big.pk}/why/?id={user}")
    assert "attribute amount is at least 3" in page
    assert "is not a member" in page
    assert "<b>big" not in page
    assert "no user with that id" in text(console, f"/audiences/{big.pk}/why/?id=x")


def test_versions__are_listed_with_who_made_them_and_gone_back_to(console: Client, people: People) -> None:
    known(people, 5)
    big = people.audience("big", one("attribute.amount", ">=", 3))
    submit(console, f"/audiences/audience/{big.pk}/change/", rule=json.dumps(one("attribute.amount", ">=", 1)))
    people.absorb()

    page = text(console, f"/audiences/{big.pk}/versions/")
    assert "boss" in page
    assert "is at least 3" in page
    assert "2 would leave" in text(console, f"/audiences/{big.pk}/versions/go-back/1/")
    assert console.post(f"/audiences/{big.pk}/versions/go-back/1/").status_code == 302
    big.refresh_from_db()
    assert (big.version, big.rule) == (3, one("attribute.amount", ">=", 3))
    assert "has no version 9" in text(console, f"/audiences/{big.pk}/versions/go-back/9/")


def test_size__has_a_chart_and_an_alert(console: Client, people: People) -> None:
    big = people.audience("big", one("attribute.amount", ">=", 3))
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    AudienceHour.objects.create(audience=big, hour=hour - timedelta(hours=5), size=100, entered=100, gone=0)
    AudienceBucket.objects.filter(audience_id=big.pk, bucket=1).update(size=300, entered=300)
    Audience.objects.filter(pk=big.pk).update(alert_percent=50, status="live")

    assert "moved by 200.0 %" in text(console, f"/audiences/{big.pk}/size/?step=hour")
    assert "<polyline" in text(console, f"/audiences/{big.pk}/size/")
    assert "100 → 300" in text(console, "/audiences/audience/")


def test_overlap__of_two__is_shown(console: Client, people: People) -> None:
    known(people, 10)
    few = people.audience("few", one("attribute.amount", ">=", 8))
    many = people.audience("many", one("attribute.amount", ">=", 1))
    assert "2 (100.0 %)" in text(console, f"/audiences/overlap/?ids={few.pk}&ids={many.pk}")
    assert "Choose 2 to 10" in text(console, f"/audiences/overlap/?ids={few.pk}")
    assert "Choose audiences of one customer" in text(console, "/audiences/overlap/")


def test_delete__of_an_audience_that_is_sent_nowhere__forgets_it(console: Client, people: People) -> None:
    big = services.create_audience(people.customer, "big", one("attribute.amount", ">=", 3))
    console.post(f"/audiences/audience/{big.pk}/remove/")
    assert not Audience.objects.exists()
