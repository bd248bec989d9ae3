"""Claims, leases and fences: one sender at a time, and none that comes too late."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import psycopg
import pytest

from activation.delivery import lanes
from activation.delivery.batch_sender import BatchSender
from activation.models import Lane
from activation.stores import claims, outcomes
from activation.stores.claims import Claim, ClaimScope
from activation.stores.due_marks import DueMarks
from core import clock
from core.buckets import of_value
from core.database import connect
from integrations.models import Platform
from pipeline import deliver
from tests.support.delivery_stage import DeliveryStage
from tests.support.pages import pages_read


def claim(stage: DeliveryStage, platform: Platform, *, wanted: bool = True) -> Claim:
    """As a sender does before it sends."""
    now = datetime.now(UTC)
    activations = [row.id for row in platform.activations.all()]
    scope = ClaimScope(platform.pl, list(range(256)), activations, wanted, 1000, one_activation=False, log_bucket=0)
    with stage.connection().cursor(binary=True) as cursor:
        found = claims.claim(cursor, scope, DueMarks(), uuid4(), now)
    assert found is not None
    return found


@contextmanager
def lane_of(stage: DeliveryStage, platform: Platform, platform_user_id: str) -> Iterator[None]:
    """As a sender holds it while a request is under way."""
    lane = lanes.lane_of(of_value(platform_user_id))
    with stage.connection().cursor() as cursor:
        lease = lanes.lease(cursor, platform.pl, lane, timedelta(minutes=1))
        assert lease is not None
        yield
        lease.release(cursor)


def finish(stage: DeliveryStage, claimed: Claim) -> int:
    with stage.connection().cursor(binary=True) as cursor:
        return outcomes.done(cursor, claimed, datetime.now(UTC))


def test_finisher_whose_claim_is_gone__changes_nothing(stage: DeliveryStage, ads: Platform) -> None:
    stage.user("x", ads)
    stage.shop.absorb()
    former = claim(stage, ads)
    present = claim(stage, ads)

    assert finish(stage, former) == 0
    with stage.connection().cursor(binary=True) as cursor:
        outcomes.failed(cursor, former, "late", datetime.now(UTC))
        outcomes.dead(cursor, former, "late", "", datetime.now(UTC))
        outcomes.unsent(cursor, former, "late", datetime.now(UTC))
    row = stage.delivery("x")
    assert (row.claim, row.acknowledged, row.error) == (present.id, None, "")

    assert finish(stage, present) == 1
    assert stage.delivery("x").acknowledged is True


@pytest.mark.parametrize(("amounts", "due"), [([1], False), ([1, 900], None), ([900], None)])
def test_changes_while_a_request_is_under_way__only_the_last_counts(
    stage: DeliveryStage, ads: Platform, amounts: list[int], due: bool | None
) -> None:
    user = stage.user("x", ads)
    stage.shop.absorb()
    with lane_of(stage, ads, "x"):
        under_way = claim(stage, ads)
        for amount in amounts:
            stage.change(user, amount)
        assert stage.deliver(ads) == 0  # whoever sends it has the lane until the lease ends
        finish(stage, under_way)

    assert stage.shop.due() == (set() if due is None else {("x", due)})


def pass_time(platform: Platform, seconds: float) -> None:
    """As if so much time had gone by for all leases of the platform."""
    for lane in Lane.objects.filter(platform_id=platform.pl, leased_until__isnull=False):
        assert lane.leased_until is not None
        lane.leased_until -= timedelta(seconds=seconds)
        Lane.objects.filter(platform_id=platform.pl, lane=lane.lane).update(leased_until=lane.leased_until)


def test_lane__is_held_by_one_until_its_lease_ends(stage: DeliveryStage, ads: Platform) -> None:
    minute = timedelta(minutes=1)
    with stage.connection().cursor() as cursor:
        first = lanes.lease(cursor, ads.pl, 0, minute)
        assert first is not None
        pass_time(ads, 30)
        assert lanes.lease(cursor, ads.pl, 0, minute) is None
        assert first.renew(cursor, minute)
        pass_time(ads, 50)
        assert lanes.lease(cursor, ads.pl, 0, minute) is None
        pass_time(ads, 20)

        next_one = lanes.lease(cursor, ads.pl, 0, minute)

        assert next_one is not None
        assert next_one.fence > first.fence
        assert not first.renew(cursor, minute)
        first.release(cursor)
        assert lanes.lease(cursor, ads.pl, 0, minute) is None
        next_one.release(cursor)
        assert lanes.lease(cursor, ads.pl, 0, minute) is not None


def test_lease__counts_by_the_clock_of_the_database(
    stage: DeliveryStage, ads: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    minute = timedelta(minutes=1)
    with stage.connection().cursor() as cursor:
        lease = lanes.lease(cursor, ads.pl, 0, minute)
        assert lease is not None
        for ahead in (-2 * minute, 2 * minute):  # of this machine's own clock
            monkeypatch.setattr(clock, "ahead", ahead)
            assert lanes.lease(cursor, ads.pl, 0, minute) is None
            assert lease.renew(cursor, minute)
            assert timedelta() < lease.left <= minute
            assert lease.outlasts(minute / 2)


def test_sender_that_was_held_up_between_claim_and_request__sends_nothing_without_its_lease(
    stage: DeliveryStage,
    ads: Platform,
    hasty: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = BatchSender.run

    def late(sender: BatchSender) -> bool:
        time.sleep(max(0.0, (sender.client.lease.until - datetime.now(UTC)).total_seconds() + 0.1))
        return run(sender)

    stage.user("x", ads)
    with monkeypatch.context() as patch:
        patch.setattr(BatchSender, "run", late)
        stage.deliver(ads)

    assert stage.sandbox.state("a")["generic"]["a"]["adds"] == 0
    stage.deliver_all(ads)
    assert stage.held() == {"x"}


def test_many_senders_at_once__send_each_change_once(stage: DeliveryStage) -> None:
    ads = stage.platform(batch_size=10)
    stage.activation(stage.audience(), ads)
    for number in range(200):
        stage.user(f"x{number}", ads)
    stage.shop.absorb()

    def send() -> None:
        for lane in range(lanes.LANES):
            deliver.work(ads.pl, lane, lambda: True)
        deliver.connections.drop()

    threads = [threading.Thread(target=send) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    stage.deliver_all(ads)

    state = stage.sandbox.state("a")["generic"]["a"]
    assert (state["adds"], state["repeats"]) == (200, 0)
    assert stage.held() == {f"x{number}" for number in range(200)}


def test_lease__while_a_snapshot_is_held__costs_the_same_however_often_the_lane_was_leased(
    stage: DeliveryStage, ads: Platform, database_url: str
) -> None:
    def lease() -> None:
        lease = lanes.lease(cursor, ads.pl, 0, timedelta(minutes=1))
        assert lease is not None
        assert lease.renew(cursor, timedelta(minutes=1))
        lease.release(cursor)

    with closing(psycopg.connect(database_url, autocommit=True)) as reader, stage.connection().cursor() as cursor:
        reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM lane")
        lease()
        usually = pages_read("lane", stage.connection(), lease)
        for _ in range(700):
            lease()
        assert pages_read("lane", stage.connection(), lease) < usually + 10
    assert Lane.objects.filter(platform_id=ads.pl, lane=0).count() == 1


def test_lane__leased_by_many_at_once__is_held_by_one_at_a_time(stage: DeliveryStage, ads: Platform) -> None:
    held, most = set[int](), []

    def hold() -> None:
        with closing(connect(durable=True)) as own, own.cursor() as cursor:
            for _ in range(40):
                lease = lanes.lease(cursor, ads.pl, 0, timedelta(minutes=1))
                if lease is not None:
                    held.add(lease.fence)
                    most.append(len(held))
                    held.discard(lease.fence)
                    lease.release(cursor)

    threads = [threading.Thread(target=hold) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert most
    assert set(most) == {1}
