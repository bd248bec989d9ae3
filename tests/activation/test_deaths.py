"""Whatever dies, stops or comes late: nobody is lost, nobody is sent who should not be, and little is sent twice."""

import copy
import os
import signal
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
import redis
from django.conf import settings

from activation.delivery import lanes
from activation.models import Batch, DeadLetter, Delivery
from core.buckets import of_value
from core.scope import EVERYTHING
from core.wakeups import DELIVER, wakeups
from integrations.models import Platform
from pipeline import backlog, deliver
from pipeline.sweeper import Sweeper
from tests.support.deliverers import Deliverers, deliverers
from tests.support.delivery_stage import DeliveryStage, forget_backoff
from tests.support.edge_process import until
from tests.support.sandbox_process import SandboxProcess
from tests.support.shop import recount

__all__ = ["deliverers"]

IDS = {f"x{number}" for number in range(40)}


def adds(stage: DeliveryStage) -> list[str]:
    return [x for _, _, operation, _, x in stage.sandbox.received("a") if operation == "add"]


def in_one_lane(stage: DeliveryStage, platform: Platform, count: int) -> set[str]:
    """Ids whose operations are sent one after another."""
    lane = lanes.lane_of(of_value("x"))
    ids = [x for x in (f"x{number}" for number in range(1000)) if lanes.lane_of(of_value(x)) == lane][:count]
    for x in ids:
        stage.user(x, platform)
    stage.shop.absorb()
    return set(ids)


@pytest.mark.parametrize("moment", ["before_send", "after_send", "before_finish"])
def test_killed__at_any_moment__loses_nobody_and_repeats_one_batch_at_most(
    stage: DeliveryStage, ads: Platform, deliverers: Deliverers, moment: str, hasty: float
) -> None:
    for x in IDS:
        stage.user(x, ads)
    stage.shop.absorb()

    assert deliverers.start(ads, DIE=moment).wait(20) == -signal.SIGKILL
    stage.deliver_all(ads)

    assert stage.held() == IDS
    received = adds(stage)
    assert len(received) - len(IDS) <= max(Batch.objects.values_list("rows", flat=True))
    assert moment != "before_send" or len(received) == len(IDS)
    assert not DeadLetter.objects.exists()


def test_stopped_past_its_lease_and_continued__changes_nothing(
    stage: DeliveryStage, ads: Platform, deliverers: Deliverers, hasty: float
) -> None:
    ids = in_one_lane(stage, ads, 5)
    stage.sandbox.faults(target="generic/a", delay=1.0, times=1)
    frozen = deliverers.start(ads, HASTY="5")
    until(lambda: Batch.objects.filter(status="sending").exists() or frozen.poll() is not None)
    os.kill(frozen.pid, signal.SIGSTOP)
    lane = lanes.lane_of(of_value("x"))
    lease_over(ads, lane)

    stage.sandbox.faults(clear=True)
    stage.deliver_all(ads)
    before = list(Delivery.objects.order_by("platform_user_id").values("acknowledged", "due_at", "batch", "attempts"))
    os.kill(frozen.pid, signal.SIGCONT)
    frozen.wait(20)

    after = list(Delivery.objects.order_by("platform_user_id").values("acknowledged", "due_at", "batch", "attempts"))
    assert after == before
    assert stage.held() == ids
    stage.deliver_all(ads)
    assert stage.held() == ids


@pytest.mark.parametrize(("first", "second"), [("0", "600"), ("-600", "0")])
def test_clocks_of_machines_that_differ__let_nobody_into_a_lane_that_is_held(
    stage: DeliveryStage, ads: Platform, deliverers: Deliverers, first: str, second: str
) -> None:
    ids = in_one_lane(stage, ads, 5)
    Delivery.objects.update(due_at=datetime.now(UTC) - timedelta(hours=1))
    stage.sandbox.faults(target="generic/a", delay=300, times=1)
    holder = deliverers.start(ads, HASTY="300", AHEAD=first)
    under_way = Batch.objects.exclude(operation="create")
    until(lambda: under_way.exists() or holder.poll() is not None, 60)

    assert deliverers.start(ads, HASTY="300", AHEAD=second).wait(60) == 0

    assert holder.poll() is None
    assert [batch.rows for batch in under_way] == [len(ids)]
    assert adds(stage) == []


def lease_over(platform: Platform, lane: int) -> None:
    """As if so much time had gone by."""
    from activation.models import Lane

    past = datetime.now(UTC) - timedelta(seconds=1)
    Lane.objects.filter(platform_id=platform.pl, lane=lane).update(leased_until=past)


def test_row_that_kills_its_sender_each_time__is_set_aside_and_the_others_are_delivered(
    stage: DeliveryStage, ads: Platform, deliverers: Deliverers, hasty: float
) -> None:
    ids = in_one_lane(stage, ads, 12)
    killer = sorted(ids)[5]
    deaths = 0
    while not DeadLetter.objects.exists():
        deaths += deliverers.start(ads, DIE=f'on:"{killer}"').wait(20) == -signal.SIGKILL
        lease_over(ads, lanes.lane_of(of_value("x")))
        assert deaths < 12

    stage.deliver_all(ads)

    [letter] = DeadLetter.objects.all()
    assert (letter.platform_user_id, letter.reason) == (killer, "its sender died each time")
    assert stage.held() == ids - {killer}


def test_no_sweepers_for_a_while_then_two__send_each_change_once(
    stage: DeliveryStage, ads: Platform, hasty: float
) -> None:
    for x in IDS:
        stage.user(x, ads)
    stage.shop.absorb()
    for lane in range(lanes.LANES):
        wakeups(settings.REDIS_URL).sleep(DELIVER, ads.pl, lane)
    time.sleep(1.1)  # what is due was missed by those whom Redis wakes
    over = threading.Event()
    sweepers = [threading.Thread(target=Sweeper().run, args=(lambda: not over.is_set(),)) for _ in range(2)]
    for sweeper in sweepers:
        sweeper.start()

    until(lambda: not any(backlog.counts(EVERYTHING).values()))
    over.set()
    for sweeper in sweepers:
        sweeper.join()

    assert stage.held() == IDS
    assert sorted(adds(stage)) == sorted(IDS)


def test_deliverers_dead_while_absorbers_go_on_waking_them__sweeper_sends(stage: DeliveryStage, ads: Platform) -> None:
    for x in IDS:
        stage.user(x, ads)
    stage.shop.absorb()
    Delivery.objects.update(due_at=datetime.now(UTC) - timedelta(seconds=2))
    sweeper = Sweeper()

    def sent() -> bool:
        for lane in range(lanes.LANES):  # as after each commit of an absorber; nobody hears it
            wakeups(settings.REDIS_URL).wake(DELIVER, ads.pl, lane)
        sweeper.sweep()
        return stage.held() == IDS

    until(sent)


def test_rows_committed_late__are_sent_when_they_are_there(
    stage: DeliveryStage, ads: Platform, database_url: str
) -> None:
    stage.user("x", ads)
    stage.user("late", ads, amount=1)
    stage.deliver_all(ads)
    with psycopg.connect(database_url) as other:
        other.execute("UPDATE delivery SET due_at = now() - interval '1 hour', wanted = true, acknowledged = false")
        stage.user("y", ads)
        assert stage.deliver(ads) >= 1
        other.commit()
    recount()

    stage.deliver_all(ads)

    assert stage.held() >= {"x", "y"}
    assert not Delivery.objects.filter(due_at__isnull=False).exists()


def test_transaction_idle_for_an_hour__holds_nobody_up(stage: DeliveryStage, ads: Platform, database_url: str) -> None:
    with psycopg.connect(database_url) as idle:
        idle.execute("SELECT count(*) FROM delivery")
        for x in IDS:
            stage.user(x, ads)
        stage.deliver_all(ads)
        assert stage.held() == IDS


def test_hanging_platform__others_are_delivered_meanwhile(stage: DeliveryStage) -> None:
    well, audience = stage.platform(), stage.audience()
    stage.activation(audience, well)
    with SandboxProcess() as elsewhere:
        hanging = DeliveryStage.platform(replaced(stage, elsewhere))
        stage.activation(audience, hanging)
        for x in IDS:
            stage.user(x, hanging)
            stage.user(x, well)
        stage.shop.absorb()
        elsewhere.faults(target="generic", delay=60)
        stuck = [threading.Thread(target=in_lane(hanging, lane)) for lane in range(lanes.LANES)]
        for thread in stuck:
            thread.start()
        sending = Batch.objects.filter(platform_id=hanging.pl, status="sending")
        until(lambda: sending.count() == lanes.LANES)

        stage.deliver_all_of(well)

        assert stage.held() == IDS
        assert sending.count() == lanes.LANES
    for thread in stuck:
        thread.join(20)


def replaced(stage: DeliveryStage, sandbox: SandboxProcess) -> DeliveryStage:
    other = copy.copy(stage)
    other.sandbox = sandbox
    return other


def in_lane(platform: Platform, lane: int) -> Callable[[], None]:
    def work() -> None:
        try:
            deliver.work(platform.pl, lane, lambda: True)
        finally:
            deliver.connections.drop()

    return work


def test_flushed_and_restarted_redis__loses_no_delivery(stage: DeliveryStage, ads: Platform) -> None:
    client = redis.Redis.from_url(settings.REDIS_URL)
    for round_ in range(5):
        for x in sorted(IDS)[round_ * 8 : round_ * 8 + 8]:
            stage.user(x, ads)
        client.flushall()
        stage.deliver(ads)
    forget_backoff()
    stage.deliver_all(ads)

    assert stage.held() == IDS
    assert sorted(adds(stage)) == sorted(IDS)
