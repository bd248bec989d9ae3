"""How many statements sending takes: each one costs two processes some time, and a busy hub has thousands a second."""

import tempfile
from collections.abc import Callable
from datetime import timedelta
from itertools import count, islice, pairwise

import pytest

from activation.delivery import lanes
from activation.delivery.circuit_breaker import CircuitBreaker
from activation.delivery.lanes import buckets_of, lane_of
from activation.models import Batch
from activation.stores import due_marks
from core import clock
from core.buckets import of_value
from integrations.models import Platform
from pipeline import deliver
from tests.support.delivery_stage import DeliveryStage

# look at the platform, lease, look at what is due; at the end give the lane back
IDLE = 4
# ask for dead letters, claim, finish; look at the platform and at what is due once more
FIRST_ROUND = 5
# look at both, claim, finish
ROUND = 4


def statements(stage: DeliveryStage, work: Callable[[], object]) -> int:
    """How many statements this thread's connection sends meanwhile, by libpq's own record."""
    libpq = stage.connection().pgconn
    with tempfile.TemporaryFile("w+b") as record:
        libpq.trace(record.fileno())
        try:
            work()
        finally:
            libpq.untrace()
        record.seek(0)
        kinds = [line.split(b"\t")[1:4] for line in record]
    return sum(kind[0] == b"F" and kind[2] in (b"Query", b"Execute") for kind in kinds if len(kind) == 3)


@pytest.fixture(autouse=True)
def slow_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow it is, no lease has to be renewed, and no full look is due."""
    monkeypatch.setattr(lanes, "MARGIN", timedelta(minutes=5))
    monkeypatch.setattr(due_marks, "FULL_LOOK_SECONDS", 3_600.0)


@pytest.fixture
def lane(stage: DeliveryStage, ads: Platform) -> int:
    """The lane of the id “x”, which this process has had before."""
    lane = lane_of(of_value("x"))
    deliver.work(ads.pl, lane, lambda: True)
    return lane


def ids_of(lane: int) -> list[str]:
    return [name for name in (f"x{number}" for number in range(100)) if lane_of(of_value(name)) == lane]


def test_lane__where_nothing_is_due__takes_four_statements(stage: DeliveryStage, ads: Platform, lane: int) -> None:
    assert statements(stage, lambda: deliver.work(ads.pl, lane, lambda: True)) == IDLE


def test_lane__of_a_platform_that_is_not_to_be_called_now__takes_one_statement(
    stage: DeliveryStage, ads: Platform, lane: int
) -> None:
    stage.user(ids_of(lane)[0], ads)
    stage.shop.absorb()
    with stage.connection().cursor() as cursor:
        now = clock.now()
        CircuitBreaker(cursor, ads.pl).pause(now + timedelta(hours=1), "not now", now)

    assert statements(stage, lambda: deliver.work(ads.pl, lane, lambda: True)) == 1


def test_lane__where_one_request_is_due__takes_nine_statements(stage: DeliveryStage, ads: Platform, lane: int) -> None:
    for name in ids_of(lane)[:3]:
        stage.user(name, ads)
    stage.shop.absorb()

    assert statements(stage, lambda: deliver.work(ads.pl, lane, lambda: True)) == IDLE + FIRST_ROUND

    assert stage.held() == set(ids_of(lane)[:3])
    batch = Batch.objects.exclude(operation="create").get()
    assert (batch.status, batch.rows, batch.accepted, batch.requests) == ("done", 3, 3, 1)
    assert batch.activations == [ads.activations.get().id]


def test_lane__each_further_request__takes_four_statements(stage: DeliveryStage) -> None:
    ads = stage.platform(batch_size=10)
    stage.activation(stage.audience(), ads)
    bucket = buckets_of(0)[10]  # where the rounds begin at the first three buckets, all of them find it
    names = (name for name in map(str, count()) if of_value(name) == bucket)

    def visit(requests: int) -> int:
        for name in islice(names, 10 * requests):
            stage.user(name, ads)
        stage.shop.absorb()
        return statements(stage, lambda: deliver.work(ads.pl, 0, lambda: True))

    counts = [visit(requests) for requests in (1, 1, 2, 3)]

    assert [later - earlier for earlier, later in pairwise(counts[1:])] == [ROUND, ROUND]


@pytest.mark.parametrize("may_stay", [True, False])
def test_lane__where_something_came_a_moment_ago__is_looked_at_again_in_the_same_visit(
    stage: DeliveryStage, may_stay: bool
) -> None:
    ads = stage.platform(linger_ms=20)
    stage.activation(stage.audience(), ads)
    names = ids_of(lane_of(of_value("x")))
    came = iter([names[:1], [], names[1:2]])  # before the visit, after the request, after a look in vain

    def keep_on() -> bool:
        for name in next(came, []):
            stage.user(name, ads)
            stage.shop.absorb()
        return True

    assert deliver.work(ads.pl, lane_of(of_value("x")), keep_on, lambda: may_stay) == 1 + may_stay
    assert stage.held() == set(names[: 1 + may_stay])


def test_lane__with_additions_and_removals__takes_two_statements_more_for_the_second_request(
    stage: DeliveryStage, ads: Platform, lane: int
) -> None:
    leaver, comer = ids_of(lane)[:2]
    user = stage.user(leaver, ads)
    stage.deliver(ads)
    stage.change(user, 1)
    stage.user(comer, ads)
    stage.shop.absorb()

    assert statements(stage, lambda: deliver.work(ads.pl, lane, lambda: True)) == IDLE + FIRST_ROUND + 2

    assert stage.held() == {comer}


def test_statements_of_senders__are_planned_once(stage: DeliveryStage, ads: Platform, lane: int) -> None:
    for name in ids_of(lane)[:8]:
        stage.user(name, ads)
        stage.shop.absorb()
        deliver.work(ads.pl, lane, lambda: True)

    plans = stage.connection().execute("SELECT sum(generic_plans), sum(custom_plans) FROM pg_prepared_statements")
    generic, custom = plans.fetchone() or (0, 0)
    assert generic > 0
    assert custom == 0
