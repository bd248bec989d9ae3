"""What a platform holds in the end is what is wanted, whatever it answers meanwhile."""

import random
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from activation.delivery import lanes
from activation.models import Batch
from activation.stores import outcomes
from core.buckets import of_value
from integrations.models import Platform
from tests.support.delivery_stage import DeliveryStage, forget_backoff


def test_500__is_tried_again_after_a_growing_wait(stage: DeliveryStage, ads: Platform) -> None:
    stage.sandbox.faults(target="generic/a", status=500, times=2)
    stage.user("x", ads)

    stage.deliver(ads)
    row = stage.delivery("x")
    assert (row.attempts, row.claim, row.dead) == (1, None, False)
    assert row.error.startswith("HTTP 500")
    assert row.due_at is not None
    assert row.due_at - row.changed_at <= timedelta(seconds=1)
    forget_backoff()
    stage.deliver(ads)
    assert stage.delivery("x").attempts == 2
    stage.deliver_all(ads)

    assert stage.held() == {"x"}
    row = stage.delivery("x")
    assert (row.attempts, row.error, row.acknowledged, row.due_at) == (0, "", True, None)


def test_fault_that_stays__is_given_up_after_bounded_attempts_and_goes_on_when_wanted_anew(
    stage: DeliveryStage, ads: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcomes, "MOST_ATTEMPTS", 3)
    stage.sandbox.faults(target="generic/a", status=503)
    user = stage.user("x", ads)
    for _ in range(5):
        stage.deliver(ads)
        forget_backoff()
    row = stage.delivery("x")
    assert (row.dead, row.due_at, row.attempts) == (True, None, 3)
    assert stage.calls() == 3

    stage.sandbox.faults(clear=True)
    stage.change(user, 1)
    stage.change(user, 900)
    stage.deliver_all(ads)
    assert stage.held() == {"x"}


def test_429__waits_as_long_as_it_is_told_and_costs_no_attempt(stage: DeliveryStage, ads: Platform) -> None:
    stage.sandbox.faults(target="generic/a", status=429, retry_after=2, times=1)
    stage.user("x", ads)
    stage.deliver(ads)

    row = stage.delivery("x")
    assert row.attempts == 0
    assert row.due_at is not None
    assert timedelta(seconds=1.9) <= row.due_at - row.changed_at <= timedelta(seconds=2)
    assert stage.deliver(ads) == 0

    stage.wait_until_due()
    stage.deliver_all(ads)
    assert stage.held() == {"x"}


def test_429_without_a_time__waits_with_backoff_and_costs_no_attempt(stage: DeliveryStage, ads: Platform) -> None:
    stage.sandbox.faults(target="generic/a", status=429, times=1)
    stage.user("x", ads)
    stage.deliver(ads)

    assert stage.delivery("x").attempts == 0
    stage.deliver_all(ads)
    assert stage.held() == {"x"}


def test_time_out__sends_nothing_of_the_lane_again_before_the_lease_has_run_out(
    stage: DeliveryStage, ads: Platform, hasty: float
) -> None:
    stage.sandbox.faults(target="generic/a", delay=30, times=1)
    stage.user("x", ads)
    began = datetime.now(UTC)
    stage.deliver(ads)

    row = stage.delivery("x")
    assert row.acknowledged is None
    assert row.due_at is not None
    assert row.due_at >= began + timedelta(seconds=hasty)
    in_lane = next(x for x in map(str, range(999)) if lanes.lane_of(of_value(x)) == lanes.lane_of(of_value("x")))
    stage.user(in_lane, ads)
    while datetime.now(UTC) < row.due_at - timedelta(seconds=0.2):
        assert stage.deliver(ads) == 0
    assert stage.calls() == 1

    stage.deliver_all(ads)
    assert stage.held() == {"x", in_lane}
    assert set(Batch.objects.exclude(operation="create").values_list("status", flat=True)) == {"unknown", "done"}


def test_time_out__leaves_the_other_lanes_alone(stage: DeliveryStage, ads: Platform, hasty: float) -> None:
    stage.sandbox.faults(target="generic/a", delay=30, times=1)
    by_lane = {lanes.lane_of(of_value(x)): x for x in map(str, range(100))}
    for x in by_lane.values():
        stage.user(x, ads)

    stage.deliver(ads)

    assert len(stage.held()) == lanes.LANES - 1


@pytest.mark.parametrize("fault", [{"drop": True, "applied": True}, {"status": 500, "applied": True}])
def test_applied_and_then_unanswered__ends_exact(
    stage: DeliveryStage,
    ads: Platform,
    hasty: float,
    fault: dict[str, object],
) -> None:
    users = {f"x{number}": stage.user(f"x{number}", ads) for number in range(30)}
    stage.sandbox.faults(target="generic/a", times=2, **fault)
    stage.deliver_all(ads)
    assert stage.held() == set(users)

    stage.sandbox.faults(target="generic/a", times=2, **fault)
    for x in ("x1", "x2", "x3", "x4"):
        stage.change(users[x], 1)
    stage.deliver_all(ads)
    assert stage.held() == set(users) - {"x1", "x2", "x3", "x4"}


def test_wrong_password__is_told_without_the_password_and_nothing_is_held(stage: DeliveryStage) -> None:
    ads = stage.platform(password="not-the-one", create=None)
    stage.shop.activation(stage.audience(), ads, segment_id=1)
    stage.create(ads)
    stage.user("x", ads)

    stage.deliver(ads)

    row = stage.delivery("x")
    assert row.error.startswith("HTTP 401")
    assert (row.attempts, row.acknowledged) == (0, False)
    told = [str(value) for batch in Batch.objects.values() for value in batch.values()] + [row.error]
    assert not any("not-the-one" in text for text in told)


def test_private_address__is_refused_where_it_is_not_allowed(
    stage: DeliveryStage, ads: Platform, private_targets: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from integrations import http

    private_targets.ALLOW_PRIVATE_TARGETS = False
    monkeypatch.setattr(http, "_local", threading.local())
    stage.user("x", ads)

    stage.deliver(ads)

    assert "private network" in stage.delivery("x").error
    assert stage.sandbox.state("a")["generic"]["a"]["adds"] == 0


@pytest.mark.parametrize("seed", range(4))
def test_faults_and_changes_at_random__end_exact(stage: DeliveryStage, hasty: float, seed: int) -> None:
    chance = random.Random(seed)
    ads = stage.platform(batch_size=10)
    stage.activation(stage.audience(), ads)
    users = {f"x{number}": stage.user(f"x{number}", ads) for number in range(40)}
    amounts = dict.fromkeys(users, 500)
    faults = (
        {"status": 500},
        {"status": 500, "applied": True},
        {"drop": True},
        {"drop": True, "applied": True},
        {"status": 429, "retry_after": 0},
    )
    for _ in range(8):
        stage.sandbox.faults(target="generic/a", times=chance.randrange(1, 3), **chance.choice(faults))
        for x in chance.sample(sorted(users), 12):
            amounts[x] = chance.randrange(200)
            stage.shop.event(users[x], {"amount": amounts[x]})
        stage.deliver(ads)
        forget_backoff()
    stage.sandbox.faults(clear=True)
    stage.deliver_all(ads)

    assert stage.held() == {x for x, amount in amounts.items() if amount > 100}
