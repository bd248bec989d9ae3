"""Sending costs the same however much was sent, whatever the oldest snapshot is; and no row is missed."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import psycopg
import pytest
from django.db import connection

from activation.delivery.lanes import LANES, buckets_of, lane_of
from activation.models import Activation, Delivery
from activation.stores import due_marks
from activation.stores.due_marks import DueMarks
from core.buckets import BUCKETS, of_value
from core.clock import now
from integrations.models import Platform
from pipeline import deliver
from tests.support.delivery_stage import DeliveryStage
from tests.support.edge_process import until
from tests.support.pages import pages_read

ROWS = 20_000
FEW = ROWS / 10  # pages: less than one for each row that was sent

BECOME_DUE = """
INSERT INTO delivery (bucket, activation_id, platform_user_id, platform_id, user_id, epoch, version, wanted,
                      acknowledged, due_at, changed_at)
SELECT number %% %s, %s, %s || number, %s, gen_random_uuid(), 1, 1, %s, %s, now() - interval '1 minute', now()
FROM generate_series(1, %s) AS number
"""
BATCHES = """
INSERT INTO batch (bucket, id, platform_id, activations, operation, status, rows, accepted, request_excerpt,
                   response_excerpt, error, started_at, finished_at)
SELECT 0, gen_random_uuid(), %s, '[]', 'add', 'done', 1, 1, '', '', '', now() - interval '10 minutes', now()
FROM generate_series(1, %s)
"""
BE_SENT = "UPDATE delivery SET due_at = NULL, acknowledged = wanted WHERE activation_id = %s AND due_at IS NOT NULL"
SNAPSHOT = """
SET idle_in_transaction_session_timeout = 0; BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM delivery
"""


@pytest.fixture
def long_report(stage: DeliveryStage, database_url: str) -> Iterator[None]:
    """Somebody reads for long: what was due meanwhile stays in the index.

    The table is as new. One that was analysed just after an earlier test's rows were deleted counts as empty however
    much it holds, until it is analysed again, and rows are not looked up by their keys.
    """
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE delivery")
    with closing(psycopg.connect(database_url, autocommit=True)) as reader:
        reader.execute(SNAPSHOT)
        yield


@pytest.fixture(autouse=True)
def one_full_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first one. On a busy machine the next one would be due before the round after it."""
    monkeypatch.setattr(due_marks, "FULL_LOOK_SECONDS", 3_600.0)


def send_many(activation: Activation, name: str, *, wanted: bool) -> None:
    """As if so many rows had become due and had been sent, in all buckets."""
    values: list[Any] = [BUCKETS, activation.id, name, activation.platform_id, wanted, not wanted, ROWS]
    with connection.cursor() as cursor:
        cursor.execute(BECOME_DUE, values)
        cursor.execute(BE_SENT, [activation.id])


@pytest.mark.usefixtures("long_report")
@pytest.mark.parametrize("wanted", [True, False])
def test_lane__while_a_snapshot_is_held__costs_the_same_however_much_was_sent(
    stage: DeliveryStage, ads: Platform, wanted: bool
) -> None:
    activation = Activation.objects.get(platform=ads)
    for part in range(2):
        send_many(activation, f"{wanted} {part} ", wanted=wanted)
        until(lambda: pages_read("delivery", stage.connection(), lambda: stage.deliver(ads)) < FEW)

    ids = {f"{wanted}{number}" for number in range(20)}
    for platform_user_id in ids:
        stage.user(platform_user_id, ads)
    stage.shop.absorb()
    assert pages_read("delivery", stage.connection(), lambda: stage.deliver(ads)) < FEW
    assert stage.held() == ids


@pytest.mark.usefixtures("long_report")
def test_question_whether_something_is_due__while_a_snapshot_is_held__costs_the_same(
    stage: DeliveryStage, ads: Platform
) -> None:
    """The sweeper asks it every second, for each lane."""

    def ask() -> None:
        assert not any(deliver.is_due(ads.pl, lane, datetime.now(UTC)) for lane in range(LANES))

    send_many(Activation.objects.get(platform=ads), "asked ", wanted=True)

    until(lambda: pages_read("delivery", stage.connection(), ask) < FEW)


def test_activation_that_was_paused__is_sent_what_became_due_meanwhile(stage: DeliveryStage, ads: Platform) -> None:
    """The lane was looked at behind it, because of another activation."""
    other = stage.activation(stage.audience("bigger", above=1_000), ads)
    Activation.objects.filter(pk=other.pk).update(status=Activation.Status.PAUSED)
    stage.user("x", ads, amount=2_000)
    stage.shop.absorb()
    Delivery.objects.update(due_at=datetime.now(UTC) - timedelta(minutes=1))
    stage.deliver(ads)
    assert stage.held("bigger") == set()
    Activation.objects.filter(pk=other.pk).update(status=Activation.Status.LIVE)

    stage.deliver(ads)

    assert stage.held() == stage.held("bigger") == {"x"}


def test_lane__costs_the_same_however_many_batches_were_sent_within_the_hour(
    stage: DeliveryStage, ads: Platform
) -> None:
    """Whoever has leased a lane looks for batches that the former sender left open."""
    with connection.cursor() as cursor:
        cursor.execute(BATCHES, [ads.pl, ROWS])

    def send_one() -> None:
        stage.user(f"x{next(numbers)}", ads)
        assert stage.deliver(ads) == 1

    numbers = count()
    until(lambda: pages_read("batch", stage.connection(), send_one) < FEW)


def test_marks__of_a_clock_that_was_put_back__are_forgotten() -> None:
    marks, buckets = DueMarks(), buckets_of(lane_of(of_value("x")))
    later = now() + timedelta(hours=1)
    for look in marks.looks(buckets, later, [1]):
        marks.learn(look, later)
    assert marks.looks(buckets, later, [1])[0].since > now()

    assert marks.looks(buckets, now(), [1])[0].since < now() - timedelta(days=1)
