"""F18 to F25 and F31: what platforms answer, and what comes of it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from activation import services as activations
from activation.models import Activation, Batch, DeadLetter, Delivery, Health
from audiences.models import Audience
from integrations import services
from integrations.models import Platform
from pipeline.health import reading
from tests.activation.conftest import ads, db, private_targets, running_sandbox, sandbox, shop, stage
from tests.support.delivery_stage import DeliveryStage, forget_backoff

__all__ = ["ads", "db", "private_targets", "running_sandbox", "sandbox", "shop", "stage"]

IDS = {f"x{number}" for number in range(12)}
A_HANDFUL = 12
PAGE = "<!DOCTYPE html>\n<html><body>We are back soon</body></html>"
Status = Activation.Status


def joined(stage: DeliveryStage, platform: Platform, ids: set[str] = IDS) -> Activation:
    for one in sorted(ids):
        stage.user(one, platform)
    stage.shop.absorb()
    return platform.activations.get()


def delivered_in_the_end(stage: DeliveryStage, platform: Platform) -> set[str]:
    """What the platform holds when every wait is over."""
    for _ in range(20):
        forget_backoff()
        stage.deliver(platform)
        if not Delivery.objects.filter(due_at__isnull=False, dead=False).exists():
            break
    return stage.held()


def word(activation: Activation) -> str:
    """How the activation is doing, as people see it."""
    activation.refresh_from_db()
    found = reading.of_activations([activation])[activation.pk]
    return f"{found.state.value}: {found.sentence(persons=True)}"


def assert_broken(activation: Activation, words: str, health: str = "every id refused") -> None:
    assert word(activation).startswith(f"broken: {health}: ")
    assert words in word(activation)
    assert activation.status == Status.BROKEN
    assert words in activation.last_error
    assert not DeadLetter.objects.exists()
    assert Delivery.objects.filter(due_at__isnull=False, dead=False).count() == len(IDS)


def test_f18__segment_that_does_not_exist__breaks_after_a_handful_of_requests_and_kills_nobody(
    stage: DeliveryStage, ads: Platform
) -> None:
    activation = joined(stage, ads)
    stage.sandbox.faults(target="generic/a", status=404, body="segment 77 does not exist")

    stage.deliver(ads)

    assert_broken(activation, "segment 77 does not exist")
    assert stage.calls() <= A_HANDFUL


@pytest.mark.parametrize("status", [301])
def test_f19__redirect__breaks_and_rows_wait(stage: DeliveryStage, ads: Platform, status: int) -> None:
    activation = joined(stage, ads)
    stage.sandbox.faults(target="generic/a", status=status, location="https://elsewhere.example/?token=t")

    stage.deliver(ads)

    assert_broken(activation, "redirects", "the address redirects")
    assert stage.calls() == 1


@pytest.mark.parametrize(
    ("success", "body", "media_type"),
    [
        ("status == 'OK'", PAGE, "text/html; charset=utf-8"),
        ("", PAGE, "application/json"),
        ("status == 'OK'", "Service is being upgraded", "text/plain"),
    ],
)
def test_f20__page_for_people_or_no_json__is_retried_and_all_are_delivered(
    stage: DeliveryStage, success: str, body: str, media_type: str
) -> None:
    ads = stage.platform(success=success)
    activation = stage.activation(stage.audience(), ads)
    joined(stage, ads)
    stage.sandbox.faults(target="generic/a", status=200, body=body, media_type=media_type)

    stage.deliver(ads)
    assert word(activation).startswith("degraded: the platform fails")
    stage.sandbox.faults(target="generic/a", clear=True)
    assert delivered_in_the_end(stage, ads) == IDS

    assert word(activation) == "ok: delivered"
    assert not DeadLetter.objects.exists()


@pytest.mark.parametrize(("status", "body"), [(200, '{"data": {"id": 5}}'), (200, PAGE)])
def test_f21__creation_that_names_no_segment__is_made_once_or_a_few_times_and_then_broken(
    stage: DeliveryStage, status: int, body: str
) -> None:
    ads = stage.platform()
    activation = stage.shop.activation(stage.audience(), ads)
    stage.sandbox.faults(target="generic/a", status=status, applied=True, body=body)

    for _ in range(6):
        forget_backoff()
        Batch.objects.update(started_at=datetime.now(UTC) - timedelta(minutes=30))
        stage.create(ads)

    activation.refresh_from_db()
    assert activation.status == Status.BROKEN
    assert word(activation).startswith("broken: the segment could not be created: ")
    assert "“big”" in activation.possible_orphan
    assert Batch.objects.filter(operation="create").count() == (3 if body == PAGE else 1)


def in_seconds(seconds: int) -> str:
    return str(seconds)


def as_date(seconds: int) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


def as_old_date(seconds: int) -> str:
    return f"{datetime.now(UTC) + timedelta(seconds=seconds):%A, %d-%b-%y %H:%M:%S} GMT"


@pytest.mark.parametrize(
    ("status", "written"),
    [
        (503, in_seconds),
        (503, as_date),
        (403, as_old_date),
        (409, in_seconds),
    ],
)
def test_f22__retry_after__is_obeyed_on_any_status(
    stage: DeliveryStage, ads: Platform, status: int, written: Callable[[int], str]
) -> None:
    activation = joined(stage, ads)
    stage.sandbox.faults(target="generic/a", status=status, retry_after=written(20), times=1)

    for _ in range(3):
        stage.deliver(ads)

    until = Health.objects.get(platform_id=ads.pl).until
    assert until is not None
    assert timedelta(seconds=15) < until - datetime.now(UTC) <= timedelta(seconds=21)
    assert stage.calls() == 1
    assert f"{until:waits until %H:%M UTC, as the platform asks}" in word(activation).replace(f"{until:%Y-%m-%d} ", "")
    assert word(activation).startswith("waiting: ")
    assert delivered_in_the_end(stage, ads) == IDS
    activation.refresh_from_db()
    assert (activation.status, activation.last_error) == (Status.LIVE, "")


@pytest.mark.parametrize(
    ("status", "words"),
    [(409, "operation in progress"), (423, "")],
)
def test_f23__busy__is_tried_again_and_costs_nobody(
    stage: DeliveryStage, ads: Platform, status: int, words: str
) -> None:
    activation = joined(stage, ads)
    stage.sandbox.faults(target="generic/a", status=status, body=words, times=5)

    assert delivered_in_the_end(stage, ads) == IDS

    assert word(activation) == "ok: delivered"
    assert not DeadLetter.objects.exists()
    assert not Health.objects.exclude(state=Health.State.CLOSED).exists()


def test_f23__busy_for_ever__breaks_with_the_words_and_kills_nobody(stage: DeliveryStage, ads: Platform) -> None:
    activation = joined(stage, ads)
    stage.sandbox.faults(target="generic/a", status=409, body="operation in progress")

    delivered_in_the_end(stage, ads)

    assert_broken(activation, "operation in progress")


# ── each row by itself ───────────────────────────────────────────────────────────────────────────────


def lists(stage: DeliveryStage, **more: Any) -> Platform:
    """A platform that answers 207, with a result for each user, and wants the secret in the body."""
    url = f"{stage.sandbox.url}/lists"
    users = {"url": f"{url}/v1/lists/{{{{segment_id}}}}/users", "body": {"users": [{"id": "{{userid}}"}]}}
    settings = {
        "linger_ms": 0,
        "batch_size": 100,
        "create": {"method": "POST", "url": f"{url}/v1/lists", "body": {"name": "{{name}}"}, "segment_id": "data.id"},
        "find": {"method": "GET", "url": f"{url}/v1/lists?name={{{{name}}}}", "list": "data"},
        "add": {"method": "POST", **users},
        "remove": {"method": "DELETE", **users},
        **more,
    }
    credentials = {"type": "oauth2", "token_url": f"{url}/token", "client_id": "a", "client_secret": "a-secret"}
    return stage.shop.platform("a", connector="http", settings=settings, credentials=credentials)


def listed(stage: DeliveryStage) -> set[str]:
    segments = stage.sandbox.held("lists", "a")["segments"].values()
    return {member for segment in segments for member in segment["members"]}


ITEMS = {"list": "results", "id": "id", "status": "status", "reason": "error.message"}


@pytest.mark.parametrize("items", [ITEMS, None])
def test_f24__each_row_by_its_own_status(stage: DeliveryStage, items: dict[str, str] | None) -> None:
    platform = lists(stage, items=items)
    activation = stage.activation(stage.audience(), platform)
    joined(stage, platform, {"good", "fine", "new1", "NO", "Not"})

    stage.deliver(platform)

    assert listed(stage) == {"good", "fine"}
    letters = {one.platform_user_id: one.reason for one in DeadLetter.objects.all()}
    assert letters.keys() == {"NO", "Not"}
    assert "is no user id" in letters["NO"]
    forget_backoff()
    stage.deliver(platform)
    assert listed(stage) == {"good", "fine", "new1"}
    assert word(activation).startswith("degraded: 2 ids of 5 refused: ")


def test_f24__every_row_refused_alike__breaks_with_the_words_and_kills_nobody(stage: DeliveryStage) -> None:
    platform = lists(stage)
    activation = stage.activation(stage.audience(), platform)
    joined(stage, platform, {one.upper() for one in IDS})

    stage.deliver(platform)

    assert_broken(activation, "is no user id")
    assert stage.calls() <= 2 * A_HANDFUL


def test_f24__results_that_nobody_can_read__break_and_say_what_is_missing(stage: DeliveryStage, ads: Platform) -> None:
    activation = joined(stage, ads)
    stage.sandbox.faults(target="generic/a", status=207, body='{"status": "partial"}', times=1)

    stage.deliver(ads)

    activation.refresh_from_db()
    assert word(activation).startswith("broken: the settings do not work: HTTP 207")
    assert not DeadLetter.objects.exists()


@pytest.mark.parametrize("status", [103])
def test_f25__answer_that_only_informs__is_skipped(stage: DeliveryStage, ads: Platform, status: int) -> None:
    joined(stage, ads)
    stage.sandbox.faults(target="generic/a", before=status)

    assert delivered_in_the_end(stage, ads) == IDS

    assert set(Batch.objects.filter(operation="add").values_list("response_status", flat=True)) == {200}


# ── creations ────────────────────────────────────────────────────────────────────────────────────────


def forgotten(stage: DeliveryStage, platform: Platform) -> Activation:
    """An activation that the hub knows no more, whose segment “big” the platform still has."""
    first = stage.activation(stage.audience(), platform)
    Activation.objects.filter(pk=first.pk).delete()
    Audience.objects.filter(name="big").update(name="renamed")
    return first


def test_creation__that_exists_already__is_found_by_its_name_and_taken(stage: DeliveryStage) -> None:
    platform = lists(stage)
    stage.activation(stage.audience("bigger", 1), platform)
    first = forgotten(stage, platform)

    again = stage.activation(stage.audience("big", 2), platform)

    assert again.segment_id == first.segment_id
    assert len(stage.sandbox.held("lists", "a")["segments"]) == 2


def test_creation__that_exists_already_and_cannot_be_asked_for__is_broken(stage: DeliveryStage) -> None:
    platform = lists(stage, find=None)
    forgotten(stage, platform)
    again = stage.shop.activation(stage.audience("big", 2), platform)

    stage.create(platform)

    again.refresh_from_db()
    assert again.status == Status.BROKEN
    assert "already exists" in again.last_error


def test_creation__of_a_segment_that_another_activation_fills__is_broken(stage: DeliveryStage) -> None:
    platform = lists(stage)
    first = stage.activation(stage.audience(), platform)
    Audience.objects.filter(name="big").update(name="renamed")
    second = stage.shop.activation(stage.audience("big", 2), platform)

    stage.create(platform)

    second.refresh_from_db()
    assert second.status == Status.BROKEN
    assert f"activation {first.pk}" in second.last_error


# ── tokens ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("way", "other", "token_url"),
    [("body", "basic", "/lists/token"), ("basic", "body", "/generic/token"), ("auto", "", "/lists/token")],
)
def test_f31__secret_in_the_body_or_not__is_a_setting_that_check_tries_both_ways(
    stage: DeliveryStage, way: str, other: str, token_url: str
) -> None:
    platform = lists(stage)
    right = {**platform.credentials, "token_url": stage.sandbox.url + token_url}

    def checked(client_auth: str) -> dict[str, Any]:
        platform.credentials = {**right, "client_auth": client_auth}
        platform.save()
        return services.check(platform)

    assert checked(way)["ok"]
    if other:
        found = checked(other)
        assert not found["ok"]
        assert f"client_auth “{way}”" in found["error"]


@pytest.mark.parametrize(("status", "words"), [(401, "who are you"), (403, "not yours")])
def test_credentials__that_are_refused__are_said_to_be(
    stage: DeliveryStage, ads: Platform, status: int, words: str
) -> None:
    activation = joined(stage, ads)
    stage.sandbox.faults(target="generic/a", status=status, body=words)

    stage.deliver(ads)

    assert_broken(activation, words, "credentials refused")
    platform = reading.of_platforms([ads])[ads.pl]
    assert (platform.state.value, platform.reason) == ("broken", "credentials refused")


# ── an audience several times on one platform ────────────────────────────────────────────────────────


def test_audience__activated_twice_on_one_platform__fills_two_segments_and_the_end_of_one_empties_one(
    stage: DeliveryStage, ads: Platform
) -> None:
    first = ads.activations.get()
    second = activations.activate(first.audience, ads, {}, "second")
    for one in ("x", "y"):
        stage.user(one, ads)
    stage.create(ads)
    stage.deliver_all(ads)
    assert stage.held("big") == stage.held("big – second") == {"x", "y"}

    second.refresh_from_db()
    activations.deactivate(second)
    stage.deliver_all(ads)

    assert (stage.held("big"), stage.held("big – second")) == ({"x", "y"}, set())


def test_audience__twice_on_one_platform__needs_a_name_and_a_segment_of_its_own(stage: DeliveryStage) -> None:
    given = stage.platform(create=None)
    audience = stage.audience()
    activations.activate(audience, given, {"segment_id": 1})

    for settings, name, words in (
        ({"segment_id": 1}, "", "already"),
        ({"segment_id": 1}, "other", "the same segment"),
    ):
        with pytest.raises(ValidationError, match=words):
            activations.activate(audience, given, settings, name)
    assert activations.activate(audience, given, {"segment_id": 2}, "other").name == "other"
    assert activations.activate(audience, given, {"segment_id": 3}).name == "2"
