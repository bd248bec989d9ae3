"""What the console does with activations, and shows of what was sent."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import User
from django.test import Client

from activation.models import Batch
from core.models import TeamMember
from integrations.models import Platform
from tests.support.delivery_stage import DeliveryStage


@pytest.fixture
def boss(db: None) -> Iterator[User]:
    """Gone afterwards: these tests commit what they do."""
    user = User.objects.create(username="boss", is_staff=True, is_superuser=True)
    yield user
    user.delete()


@pytest.fixture
def console(boss: User) -> Client:
    client = Client()
    client.force_login(boss)
    return client


def page_of(ads: Platform) -> str:
    return f"/activation/activation/{ads.activations.get().pk}/test/"


def test_one_id__sent_from_the_console__goes_in_and_out_again_and_the_answers_are_shown(
    stage: DeliveryStage, ads: Platform, console: Client
) -> None:
    assert "Sends one id now" in console.get(page_of(ads)).content.decode()
    assert stage.sandbox.received("a") == []

    shown = console.post(page_of(ads), {"platform_user_id": "stranger"}).content.decode()

    assert [(what, who) for _, _, what, _, who in stage.sandbox.received("a")] == [
        ("add", "stranger"),
        ("remove", "stranger"),
    ]
    assert shown.count("&quot;status&quot;: 200") == 2
    assert "a-secret" not in shown


def test_one_id__where_it_cannot_be_sent__is_told_why(stage: DeliveryStage, ads: Platform, console: Client) -> None:
    ads.activations.update(status="paused")

    shown = console.post(page_of(ads), {"platform_user_id": "stranger"}).content.decode()

    assert "it must be live" in shown
    assert stage.sandbox.received("a") == []


def test_one_id__by_somebody_who_may_only_look__is_403(ads: Platform, boss: User, console: Client) -> None:
    boss.is_superuser = False
    boss.save()
    TeamMember.objects.create(user=boss, role="analyst")

    assert console.post(page_of(ads), {"platform_user_id": "stranger"}).status_code == 403


def test_log__filtered_by_time__shows_what_was_started_then(
    stage: DeliveryStage, ads: Platform, console: Client
) -> None:
    stage.user("x", ads)
    stage.deliver(ads)
    started = Batch.objects.exclude(operation="create").get().started_at
    a_moment = timedelta(minutes=1)

    def rows(**asked: datetime) -> int:
        typed = {name: f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}" for name, moment in asked.items()}
        return console.get(f"/batches/?{urlencode(typed)}").content.decode().count(stage.sandbox.segments_url)

    assert rows() > 0
    assert rows(started_after=started - a_moment, started_before=started + a_moment) == rows()
    assert rows(started_after=started + a_moment) == 0
    assert rows(started_before=started - a_moment) == 0
