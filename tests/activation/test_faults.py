"""What a platform holds in the end is what is wanted, whatever it answers meanwhile."""

import random
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from activation.delivery import lanes, outcomes
from activation.models import Batch
from core.buckets import of_value
from integrations.models import Platform
from tests.support.telling import Telling, forget_backoff


def test_500__is_tried_again_after_a_growing_wait(telling: Telling, ads: Platform) -> None:
    telling.sandbox.faults(target="generic/a", status=500, times=2)
    telling.user("x", ads)

    telling.tell(ads)
    row = telling.delivery("x")
    assert (row.attempts, row.claim, row.dead) == (1, None, False)
    assert row.error.startswith("HTTP 500")
    assert row.due_at is not None
    assert row.due_at - row.changed_at <= timedelta(seconds=1)
    forget_backoff()
    telling.tell(ads)
    assert telling.delivery("x").attempts == 2
    telling.tell_all(ads)

    assert telling.held() == {"x"}
    row = telling.delivery("x")
    assert (row.attempts, row.error, row.acknowledged, row.due_at) == (0, "", True, None)


def test_fault_that_stays__is_given_up_after_bounded_attempts_and_goes_on_when_wanted_anew(
    telling: Telling, ads: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcomes, "MOST_ATTEMPTS", 3)
    telling.sandbox.faults(target="generic/a", status=503)
    user = telling.user("x", ads)
    for _ in range(5):
        telling.tell(ads)
        forget_backoff()
    row = telling.delivery("x")
    assert (row.dead, row.due_at, row.attempts) == (True, None, 3)
    assert telling.calls() == 3

    telling.sandbox.faults(clear=True)
    telling.change(user, 1)
    telling.change(user, 900)
    telling.tell_all(ads)
    assert telling.held() == {"x"}


def test_429__waits_as_long_as_it_is_told_and_costs_no_attempt(telling: Telling, ads: Platform) -> None:
    telling.sandbox.faults(target="generic/a", status=429, retry_after=2, times=1)
    telling.user("x", ads)
    telling.tell(ads)

    row = telling.delivery("x")
    assert row.attempts == 0
    assert row.due_at is not None
    assert timedelta(seconds=1.9) <= row.due_at - row.changed_at <= timedelta(seconds=2)
    assert telling.tell(ads) == 0

    telling.wait_until_due()
    telling.tell_all(ads)
    assert telling.held() == {"x"}


def test_429_without_a_time__waits_with_backoff_and_costs_no_attempt(telling: Telling, ads: Platform) -> None:
    telling.sandbox.faults(target="generic/a", status=429, times=1)
    telling.user("x", ads)
    telling.tell(ads)

    assert telling.delivery("x").attempts == 0
    telling.tell_all(ads)
    assert telling.held() == {"x"}


def test_time_out__sends_nothing_of_the_lane_again_before_the_lease_has_run_out(
    telling: Telling, ads: Platform, hasty: float
) -> None:
    telling.sandbox.faults(target="generic/a", delay=30, times=1)
    telling.user("x", ads)
    began = datetime.now(UTC)
    telling.tell(ads)

    row = telling.delivery("x")
    assert row.acknowledged is None
    assert row.due_at is not None
    assert row.due_at >= began + timedelta(seconds=hasty)
    in_lane = next(x for x in map(str, range(999)) if lanes.lane_of(of_value(x)) == lanes.lane_of(of_value("x")))
    telling.user(in_lane, ads)
    while datetime.now(UTC) < row.due_at - timedelta(seconds=0.2):
        assert telling.tell(ads) == 0
    assert telling.calls() == 1

    telling.tell_all(ads)
    assert telling.held() == {"x", in_lane}
    assert set(Batch.objects.exclude(operation="create").values_list("status", flat=True)) == {"unknown", "done"}


def test_time_out__leaves_the_other_lanes_alone(telling: Telling, ads: Platform, hasty: float) -> None:
    telling.sandbox.faults(target="generic/a", delay=30, times=1)
    by_lane = {lanes.lane_of(of_value(x)): x for x in map(str, range(100))}
    for x in by_lane.values():
        telling.user(x, ads)

    telling.tell(ads)

    assert len(telling.held()) == lanes.LANES - 1


@pytest.mark.parametrize("fault", [{"drop": True, "applied": True}, {"status": 500, "applied": True}])
def test_applied_and_then_unanswered__ends_exact(
    telling: Telling,
    ads: Platform,
    hasty: float,
    fault: dict[str, object],
) -> None:
    users = {f"x{number}": telling.user(f"x{number}", ads) for number in range(30)}
    telling.sandbox.faults(target="generic/a", times=2, **fault)
    telling.tell_all(ads)
    assert telling.held() == set(users)

    telling.sandbox.faults(target="generic/a", times=2, **fault)
    for x in ("x1", "x2", "x3", "x4"):
        telling.change(users[x], 1)
    telling.tell_all(ads)
    assert telling.held() == set(users) - {"x1", "x2", "x3", "x4"}


def test_wrong_password__is_told_without_the_password_and_nothing_is_held(telling: Telling) -> None:
    ads = telling.platform(password="not-the-one", create=None)
    telling.shop.activation(telling.audience(), ads, segment_id=1)
    telling.create(ads)
    telling.user("x", ads)

    telling.tell(ads)

    row = telling.delivery("x")
    assert row.error.startswith("HTTP 401")
    assert (row.attempts, row.acknowledged) == (0, False)
    told = [str(value) for batch in Batch.objects.values() for value in batch.values()] + [row.error]
    assert not any("not-the-one" in text for text in told)


def test_private_address__is_refused_where_it_is_not_allowed(
    telling: Telling, ads: Platform, private_targets: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from integrations import http

    private_targets.ALLOW_PRIVATE_TARGETS = False
    monkeypatch.setattr(http, "_local", threading.local())
    telling.user("x", ads)

    telling.tell(ads)

    assert "private network" in telling.delivery("x").error
    assert telling.sandbox.state("a")["generic"]["a"]["adds"] == 0


@pytest.mark.parametrize("seed", range(4))
def test_faults_and_changes_at_random__end_exact(telling: Telling, hasty: float, seed: int) -> None:
    chance = random.Random(seed)
    ads = telling.platform(batch_size=10)
    telling.activation(telling.audience(), ads)
    users = {f"x{number}": telling.user(f"x{number}", ads) for number in range(40)}
    amounts = dict.fromkeys(users, 500)
    faults = (
        {"status": 500},
        {"status": 500, "applied": True},
        {"drop": True},
        {"drop": True, "applied": True},
        {"status": 429, "retry_after": 0},
    )
    for _ in range(8):
        telling.sandbox.faults(target="generic/a", times=chance.randrange(1, 3), **chance.choice(faults))
        for x in chance.sample(sorted(users), 12):
            amounts[x] = chance.randrange(200)
            telling.shop.event(users[x], {"amount": amounts[x]})
        telling.tell(ads)
        forget_backoff()
    telling.sandbox.faults(clear=True)
    telling.tell_all(ads, 30)

    assert telling.held() == {x for x, amount in amounts.items() if amount > 100}
