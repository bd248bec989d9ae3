"""What a platform allows is never overrun, whoever sends and whatever is forgotten."""

import threading
import time
from collections import deque
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
import redis
from django.conf import settings
from django.core.exceptions import ValidationError

from activation.delivery import lanes, platform_client, quotas
from activation.delivery.circuit_breaker import BreakerState, CircuitBreaker
from activation.models import Activation, Delivery, Health, Spending
from core import clock
from core.wakeups import DELIVER, wakeups
from integrations.limits import Limits
from integrations.limits import check as check_limits
from integrations.models import Platform
from pipeline import deliver
from tests.support.delivery_stage import DeliveryStage
from tests.support.edge_process import until


def single(stage: DeliveryStage, **limits: float) -> Platform:
    """A platform that takes one row a request."""
    url = stage.sandbox.segments_url + "?id={{segment_id}}&userid={{userid}}"
    ads = stage.platform(
        strategy="no_batch", add={"method": "POST", "url": url}, remove={"method": "DELETE", "url": url}
    )
    ads.limits = limits
    ads.save()
    stage.activation(stage.audience(), ads)
    return ads


def has_received(stage: DeliveryStage, calls: int) -> bool:
    return len(stage.sandbox.received("a")) >= calls


def busiest_second(times: list[float]) -> int:
    """The most calls within any second."""
    window: deque[float] = deque()
    most = 0
    for at in sorted(times):
        window.append(at)
        while window[0] <= at - 1.0:
            window.popleft()
        most = max(most, len(window))
    return most


def test_ten_calls_a_second__are_never_more_at_the_receiver_with_eight_workers_and_a_forgetful_redis(
    stage: DeliveryStage,
) -> None:
    ads = single(stage, per_second=10)
    ids = {f"x{number}" for number in range(45)}
    for x in ids:
        stage.user(x, ads)
    stage.shop.absorb()
    over = threading.Event()

    def work(first: int) -> None:
        while not over.is_set():
            for lane in range(lanes.LANES):
                deliver.work(ads.pl, (lane + first) % lanes.LANES, lambda: not over.is_set())
        deliver.connections.drop()

    workers = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for worker in workers:
        worker.start()
    client = redis.Redis.from_url(settings.REDIS_URL)
    for flushed_at in (8, 20, 45):
        until(partial(has_received, stage, flushed_at))
        client.flushall()
    over.set()
    for worker in workers:
        worker.join()

    received = stage.sandbox.received("a")
    stage.deliver_all(ads)
    assert busiest_second([at for _, at, *_ in received]) <= 10
    assert sorted(x for *_, x in received) == sorted(ids)


def test_calls_at_once__are_bounded_over_all_lanes(stage: DeliveryStage) -> None:
    ads = single(stage, concurrent=1)
    for number in range(12):
        stage.user(f"x{number}", ads)
    stage.shop.absorb()
    stage.sandbox.faults(target="generic/a", delay=0.05)

    def work(lane: int) -> None:
        while deliver.is_due(ads.pl, lane, datetime.now(UTC)):
            deliver.work(ads.pl, lane, lambda: True)
        deliver.connections.drop()

    began = time.monotonic()
    workers = [threading.Thread(target=work, args=(lane,)) for lane in range(lanes.LANES)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert len(stage.held()) == 12
    assert time.monotonic() - began >= 12 * 0.05


def test_calls_a_day__used_up__wait_for_midnight_and_a_flushed_redis_changes_nothing(stage: DeliveryStage) -> None:
    ads = single(stage, per_day=3)  # one of them made the segment
    for number in range(10):
        stage.user(f"x{number}", ads)
    stage.deliver(ads)
    redis.Redis.from_url(settings.REDIS_URL).flushall()
    stage.deliver(ads)

    assert len(stage.held()) == 2
    health = Health.objects.get(platform_id=ads.pl)
    assert health.until is not None
    assert health.until.astimezone(UTC).time().isoformat("minutes") == "00:00"
    assert "used up" in health.reason
    assert set(Delivery.objects.filter(acknowledged=False).values_list("attempts", "dead")) == {(0, False)}

    Spending.objects.update(since=datetime.now(UTC) - timedelta(days=1))
    Health.objects.update(until=datetime.now(UTC))
    stage.deliver(ads)
    assert len(stage.held()) == 5


def test_bytes_a_day__count_what_is_sent(stage: DeliveryStage) -> None:
    ads = stage.platform(batch_size=10)
    activation = stage.activation(stage.audience(), ads)
    for number in range(40):
        stage.user(f"x{number:02}", ads)
    ads.limits = {"bytes_per_day": 900}
    ads.save()
    stage.deliver(ads)

    spent = Spending.objects.get(what=quotas.BYTES).spent
    assert 0 < spent <= 900
    assert 0 < len(stage.held()) < 40
    assert Activation.objects.get(id=activation.id).status == Activation.Status.LIVE


def test_rate__is_lowered_by_a_complaint_and_comes_back_slowly() -> None:
    now = datetime.now(UTC)
    slowed = BreakerState(slowed_to=2.0, slowed_at=now)
    limits = Limits(per_second=10)
    at = [platform_client.rate(limits, slowed, now + timedelta(minutes=minutes)) for minutes in (0, 3, 6, 11)]
    assert at == [2.0, 5.0, 8.0, 10]
    assert platform_client.rate(Limits(), slowed, now) == 2.0
    assert platform_client.rate(Limits(), slowed, now + timedelta(minutes=11)) is None


@pytest.mark.parametrize("limits", [{"per_minute": 1}, {"per_second": 0}, {"per_day": 1.5}, {"concurrent": "2"}])
def test_limits__that_mean_nothing__are_refused(limits: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        check_limits(limits)


def test_activations__share_requests_fairly(stage: DeliveryStage) -> None:
    ads = stage.platform(batch_size=10)
    crowd, few = stage.audience("crowd", 10), stage.audience("few", 1000)
    stage.activation(crowd, ads)
    for number in range(200):
        stage.user(f"x{number}", ads, amount=50)
    stage.shop.absorb()
    stage.activation(few, ads)
    for number in range(8):
        stage.user(f"y{number}", ads, amount=5000)
    stage.deliver(ads)

    titles = {int(key): s["title"] for key, s in stage.sandbox.state("a")["generic"]["a"]["segments"].items()}
    order = [(titles[segment], x) for _, _, _, segment, x in stage.sandbox.received("a")]
    by_lane = [[title for title, x in order if lanes.lane_of(bucket_of(x)) == lane] for lane in range(lanes.LANES)]
    assert all("few" not in lane[20:] for lane in by_lane)


def bucket_of(x: str) -> int:
    from core.buckets import of_value

    return of_value(x)


def test_lane__of_a_platform_that_is_not_to_be_called_now__is_woken_once_a_second_at_most(
    stage: DeliveryStage, ads: Platform
) -> None:
    """Each batch of absorb would wake it: that cost a worker more than the batch."""
    awake, calls = wakeups(settings.REDIS_URL), redis.Redis.from_url(settings.REDIS_URL)

    def is_called() -> bool:
        before = calls.llen(DELIVER)
        awake.wake(DELIVER, ads.pl, 0)
        return calls.llen(DELIVER) > before

    with stage.connection().cursor() as cursor:
        now = clock.now()
        CircuitBreaker(cursor, ads.pl).pause(now + timedelta(hours=1), "not now", now)
    deliver.run(ads.pl, 0)

    assert not is_called()
    until(is_called)

    Health.objects.all().delete()
    deliver.run(ads.pl, 0)
    assert is_called()
