"""Segments are created at their platform by themselves."""

import signal
from datetime import UTC, datetime, timedelta

import pytest

from activation import services
from activation.models import Activation, Batch
from tests.support.deliverers import Deliverers, deliverers
from tests.support.delivery_stage import DeliveryStage
from tests.support.edge_process import until
from tests.support.platform_trouble import forget_waits

__all__ = ["deliverers"]


def test_activation__creates_its_segment_and_keeps_the_id_in_its_own_type(stage: DeliveryStage) -> None:
    ads = stage.platform()
    activation = services.activate(stage.audience("Käufer & Co."), ads, {})
    assert activation.status == Activation.Status.PENDING

    assert stage.create(ads) == 1

    activation.refresh_from_db()
    assert (activation.status, activation.last_error) == (Activation.Status.LIVE, "")
    segments = stage.sandbox.state("a")["generic"]["a"]["segments"]
    assert {number: segment["title"] for number, segment in segments.items()} == {
        str(activation.segment_id): "Käufer & Co."
    }
    assert isinstance(activation.segment_id, int)
    assert stage.create(ads) == 0


def test_creation__refused_once__is_tried_again_after_a_while(stage: DeliveryStage) -> None:
    ads = stage.platform()
    activation = stage.shop.activation(stage.audience(), ads)
    stage.sandbox.faults(target="generic/a", status=500, times=1)

    assert stage.create(ads) == 0
    assert stage.create(ads) == 0  # not at once
    assert Batch.objects.filter(operation="create").count() == 1
    activation.refresh_from_db()
    assert activation.status == Activation.Status.PENDING
    assert activation.last_error.startswith("HTTP 500")

    until(lambda: stage.create(ads) == 1)
    activation.refresh_from_db()
    assert (activation.status, activation.last_error) == (Activation.Status.LIVE, "")


def test_creation__applied_but_unanswered__ends_with_one_segment(stage: DeliveryStage) -> None:
    ads = stage.platform()
    stage.shop.activation(stage.audience(), ads)
    stage.sandbox.faults(target="generic/a", drop=True, applied=True, times=1)

    stage.create(ads)
    until(lambda: stage.create(ads) == 1)

    assert len(stage.sandbox.state("a")["generic"]["a"]["segments"]) == 1


@pytest.mark.parametrize("answer", ['{"data": {"id": 5}}', ""])
def test_creation__answer_without_an_id__is_made_once_and_the_possible_orphan_is_named(
    stage: DeliveryStage, answer: str
) -> None:
    ads = stage.platform()
    activation = stage.shop.activation(stage.audience(), ads)
    stage.user("x", ads)
    stage.sandbox.faults(target="generic/a", status=202, applied=True, body=answer)

    stage.create(ads)
    Batch.objects.filter(operation="create").update(started_at=datetime.now(UTC) - timedelta(minutes=30))
    stage.create(ads)
    stage.deliver(ads)

    activation.refresh_from_db()
    assert activation.status == Activation.Status.BROKEN
    assert "segment_id" in activation.last_error or "not JSON" in activation.last_error
    assert "“big”" in activation.possible_orphan
    assert [(one.status, one.response_status) for one in Batch.objects.all()] == [("unknown", 202)]
    assert stage.calls() == 0


def test_creation__answer_without_an_id_and_a_person_who_acts__goes_on(stage: DeliveryStage) -> None:
    ads = stage.platform()
    activation = stage.shop.activation(stage.audience(), ads)
    stage.sandbox.faults(target="generic/a", status=202, applied=True, body="{}", times=1)
    stage.create(ads)
    Batch.objects.filter(operation="create").update(started_at=datetime.now(UTC) - timedelta(minutes=30))
    activation.refresh_from_db()

    services.resume(activation)
    assert stage.create(ads) == 1

    activation.refresh_from_db()
    assert (activation.status, activation.last_error) == (Activation.Status.LIVE, "")
    assert "“big”" in activation.possible_orphan


def test_creation__maker_that_dies_with_the_answer_in_hand__is_known_to_have_been_cut_off(
    stage: DeliveryStage, deliverers: Deliverers, hasty: float
) -> None:
    ads = stage.platform()
    activation = stage.shop.activation(stage.audience(), ads)

    assert deliverers.start(ads, DIE="before_live", LANES="-1").wait(20) == -signal.SIGKILL
    until(lambda: stage.create(ads) == 1)

    activation.refresh_from_db()
    assert activation.status == Activation.Status.LIVE
    assert "“big”" in activation.possible_orphan


def test_creation__that_is_never_answered__is_tried_a_few_times_and_then_waits_for_a_person(
    stage: DeliveryStage, hasty: float
) -> None:
    ads = stage.platform()
    activation = stage.shop.activation(stage.audience(), ads)
    stage.sandbox.faults(target="generic/a", drop=True, applied=True)

    def is_broken() -> bool:
        forget_waits()
        Batch.objects.update(started_at=datetime.now(UTC) - timedelta(minutes=30))
        stage.create(ads)
        activation.refresh_from_db()
        return activation.status == Activation.Status.BROKEN

    until(is_broken)

    assert Batch.objects.filter(operation="create").count() == 3
    assert "3 creations" in activation.possible_orphan


def test_one_segment_that_cannot_be_created__does_not_hold_up_the_others(stage: DeliveryStage) -> None:
    ads, other = stage.platform("a"), stage.platform("b")
    audience = stage.audience()
    stage.sandbox.faults(target="generic/a", status=500)
    for platform in (ads, other):
        stage.shop.activation(audience, platform)
        stage.user(f"x-{platform.name}", platform)
    stage.create(ads)

    assert stage.create(other) == 1
    stage.deliver(other)

    assert stage.held("big", "b") == {"x-b"}


def test_given_segment_id__is_used_where_the_platform_creates_none(stage: DeliveryStage) -> None:
    creator = stage.platform()
    stage.activation(stage.audience(), creator)
    number = Activation.objects.get().segment_id
    ads = stage.platform(create=None)
    activation = stage.shop.activation(stage.audience("other", 5), ads, segment_id=number)
    stage.create(ads)
    stage.user("x", ads, amount=50)

    stage.deliver(ads)

    activation.refresh_from_db()
    assert activation.segment_id == number
    assert stage.held("big") == {"x"}


def test_paused_while_its_segment_is_created__stays_paused(stage: DeliveryStage) -> None:
    ads = stage.platform()
    activation = stage.shop.activation(stage.audience(), ads)
    services.pause(activation)

    assert stage.create(ads) == 0

    services.resume(activation)
    assert stage.create(ads) == 1
