"""Claims, leases and fences: one sender at a time, and none that comes too late."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from activation.delivery import claims, lanes, outcomes
from activation.delivery.batch_sender import Work
from activation.delivery.claims import Claim, Front
from core.buckets import of_value
from integrations.models import Platform
from pipeline import deliver
from tests.support.telling import Telling


def claim(telling: Telling, platform: Platform, *, wanted: bool = True) -> Claim:
    """As a sender does before it sends."""
    now = datetime.now(UTC)
    activations = [row.id for row in platform.activations.all()]
    front = Front(list(range(256)), activations, wanted, 1000, one_activation=False)
    with telling.connection().cursor(binary=True) as cursor:
        found = claims.claim(cursor, front, uuid4(), now)
    assert found is not None
    return found


@contextmanager
def lane_of(telling: Telling, platform: Platform, platform_user_id: str) -> Iterator[None]:
    """As a sender holds it while a request is under way."""
    lane = lanes.lane_of(of_value(platform_user_id))
    with telling.connection().cursor() as cursor:
        lease = lanes.lease(cursor, platform.pl, lane, datetime.now(UTC), timedelta(minutes=1))
        assert lease is not None
        yield
        lease.release(cursor)


def finish(telling: Telling, claimed: Claim) -> int:
    with telling.connection().cursor(binary=True) as cursor:
        return outcomes.done(cursor, claimed, datetime.now(UTC))


def test_finisher_whose_claim_is_gone__changes_nothing(telling: Telling, ads: Platform) -> None:
    telling.user("x", ads)
    telling.shop.absorb()
    former = claim(telling, ads)
    present = claim(telling, ads)

    assert finish(telling, former) == 0
    with telling.connection().cursor(binary=True) as cursor:
        outcomes.failed(cursor, former, "late", datetime.now(UTC))
        outcomes.dead(cursor, former, "late", "", datetime.now(UTC))
        outcomes.unsent(cursor, former, "late", datetime.now(UTC))
    row = telling.delivery("x")
    assert (row.claim, row.acknowledged, row.error) == (present.id, None, "")

    assert finish(telling, present) == 1
    assert telling.delivery("x").acknowledged is True


@pytest.mark.parametrize(("amounts", "due"), [([1], False), ([1, 900], None), ([900], None)])
def test_changes_while_a_request_is_under_way__only_the_last_counts(
    telling: Telling, ads: Platform, amounts: list[int], due: bool | None
) -> None:
    user = telling.user("x", ads)
    telling.shop.absorb()
    with lane_of(telling, ads, "x"):
        under_way = claim(telling, ads)
        for amount in amounts:
            telling.change(user, amount)
        assert telling.tell(ads) == 0  # whoever sends it has the lane until the lease ends
        finish(telling, under_way)

    assert telling.shop.due() == (set() if due is None else {("x", due)})


def test_lane__is_held_by_one_until_its_lease_ends(telling: Telling, ads: Platform) -> None:
    now, second = datetime.now(UTC), timedelta(seconds=1)
    with telling.connection().cursor() as cursor:
        first = lanes.lease(cursor, ads.pl, 0, now, second)
        assert first is not None
        assert lanes.lease(cursor, ads.pl, 0, now + 0.5 * second, second) is None
        assert first.renew(cursor, now + 0.5 * second, second)
        assert lanes.lease(cursor, ads.pl, 0, now + 1.2 * second, second) is None

        next_one = lanes.lease(cursor, ads.pl, 0, now + 2 * second, second)

        assert next_one is not None
        assert next_one.fence > first.fence
        assert not first.renew(cursor, now + 2 * second, second)
        first.release(cursor)
        assert lanes.lease(cursor, ads.pl, 0, now + 2.5 * second, second) is None
        next_one.release(cursor)
        assert lanes.lease(cursor, ads.pl, 0, now + 2.5 * second, second) is not None


def test_sender_that_was_held_up_between_claim_and_request__sends_nothing_without_its_lease(
    telling: Telling,
    ads: Platform,
    hasty: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = Work.run

    def late(work: Work) -> bool:
        time.sleep(max(0.0, (work.gate.lease.until - datetime.now(UTC)).total_seconds() + 0.1))
        return run(work)

    telling.user("x", ads)
    with monkeypatch.context() as patch:
        patch.setattr(Work, "run", late)
        telling.tell(ads)

    assert telling.sandbox.state("a")["generic"]["a"]["adds"] == 0
    telling.tell_all(ads)
    assert telling.held() == {"x"}


def test_many_senders_at_once__send_each_change_once(telling: Telling) -> None:
    ads = telling.platform(batch_size=10)
    telling.activation(telling.audience(), ads)
    for number in range(200):
        telling.user(f"x{number}", ads)
    telling.shop.absorb()

    def send() -> None:
        for lane in range(lanes.LANES):
            deliver.work(ads.pl, lane, lambda: True)
        deliver.connections.drop()

    threads = [threading.Thread(target=send) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    telling.tell_all(ads)

    state = telling.sandbox.state("a")["generic"]["a"]
    assert (state["adds"], state["repeats"]) == (200, 0)
    assert telling.held() == {f"x{number}" for number in range(200)}
