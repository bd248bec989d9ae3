"""What one click changes in many deliveries: page by page under the buckets' locks, and nobody waits for the whole."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from django.db import connection

from activation import services
from activation.models import Activation, Delivery
from activation.stores import bulk_changes
from core.buckets import BUCKET_LOCKS, of_value
from core.inbox import InboxKind
from core.models import ApiKey, Inbox
from integrations.models import Platform
from pipeline import deliver
from tests.support.api_caller import caller
from tests.support.delivery_stage import DeliveryStage
from tests.support.edge_process import until

IDS = {f"x{number}" for number in range(60)}
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE %s"


@contextmanager
def held_by_somebody(database_url: str, bucket: int) -> Iterator[None]:
    """As an absorber holds a bucket while it works on it."""
    with psycopg.connect(database_url) as other:
        other.execute("SELECT pg_advisory_xact_lock(%s, %s)", [BUCKET_LOCKS, bucket])
        yield


def joined(stage: DeliveryStage, platform: Platform) -> Activation:
    for x in IDS:
        stage.user(x, platform)
    stage.deliver_all(platform)
    return platform.activations.get()


def due_in(bucket: int) -> int:
    return Delivery.objects.filter(bucket=bucket, due_at__isnull=False).count()


def expire(activation: Activation) -> None:
    soon = datetime.now(UTC) + timedelta(hours=1)
    Delivery.objects.filter(activation_id=activation.id).update(expires_at=soon)


def clicks() -> list[Callable[[Activation], object]]:
    return [services.resync, services.deactivate]


@pytest.mark.parametrize("click", clicks(), ids=lambda click: click.__name__)
def test_click_on_all_members__touches_no_bucket_that_somebody_holds(
    stage: DeliveryStage, ads: Platform, database_url: str, click: Callable[[Activation], object]
) -> None:
    activation = joined(stage, ads)
    bucket = of_value("x7")

    with held_by_somebody(database_url, bucket):
        click(activation)
        stage.shop.absorb()
        elsewhere = Delivery.objects.exclude(bucket=bucket)
        assert not elsewhere.filter(due_at=None).exists()
        assert due_in(bucket) == 0
        assert stage.create(ads) == 0
    stage.shop.absorb()

    assert due_in(bucket) > 0
    stage.deliver_all(ads)
    assert stage.held() == (IDS if click is services.resync else set())


def test_click_on_all_members__goes_on_page_by_page(
    stage: DeliveryStage, ads: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    activation = joined(stage, ads)
    Delivery.objects.filter(activation_id=activation.id).exclude(bucket=of_value("x7")).delete()
    row = Delivery.objects.get(platform_user_id="x7")
    for number in range(24):
        row.pk = (row.bucket, row.activation_id, f"y{number}")
        row.save(force_insert=True)
    monkeypatch.setattr(bulk_changes, "PAGE", 10)

    services.resync(activation)
    pages = 0
    while Inbox.objects.filter(bucket=row.bucket, kind=InboxKind.RESYNC).exists():
        before = due_in(row.bucket)
        stage.shop.absorber.absorb()
        assert due_in(row.bucket) - before <= 10
        pages += due_in(row.bucket) > before

    assert pages == 3
    assert due_in(row.bucket) == 25


def test_ending__waits_for_the_buckets_that_may_still_want_somebody(
    stage: DeliveryStage, ads: Platform, database_url: str
) -> None:
    activation = joined(stage, ads)
    late = stage.user("late", ads)

    with held_by_somebody(database_url, of_value("late")):
        services.deactivate(activation)
        stage.deliver(ads)
        assert stage.create(ads) == 0
    stage.deliver_all(ads)
    stage.change(late, 900)
    stage.deliver_all(ads)
    stage.create(ads)

    assert stage.held() == set()
    assert not Activation.objects.exists()
    assert not Delivery.objects.exists()


def test_renewals__touch_no_bucket_that_somebody_holds(stage: DeliveryStage, database_url: str) -> None:
    ads = stage.platform(remove=None, removal="ttl", ttl_days=30)
    stage.activation(stage.audience(), ads)
    activation = joined(stage, ads)
    expire(activation)
    bucket = of_value("x7")

    with held_by_somebody(database_url, bucket):
        deliver.renew()
        assert not Delivery.objects.exclude(bucket=bucket).filter(due_at=None).exists()
        assert due_in(bucket) == 0
    deliver.renew()

    assert due_in(bucket) > 0
    stage.deliver_all(ads)
    assert not Delivery.objects.filter(expires_at__lt=datetime.now(UTC) + timedelta(days=29)).exists()


def test_resync__of_a_platform_without_removals__leaves_alone_who_is_not_wanted(stage: DeliveryStage) -> None:
    ads = stage.platform(remove=None, removal="none")
    activation = stage.activation(stage.audience(), ads)
    user = stage.user("x", ads)
    stage.shop.absorb()
    stage.change(user, 1)
    assert services.counts(activation)["kept"] == 0

    services.resync(activation)
    stage.deliver_all(ads)

    assert services.counts(activation)["kept"] == 0


def test_pausing__counts_while_nobody_waits_for_the_configuration(
    stage: DeliveryStage, ads: Platform, database_url: str
) -> None:
    activation = joined(stage, ads)
    admin = caller(ApiKey.Role.ADMIN)
    answers = []

    def pause() -> None:
        try:
            answers.append(admin.post(f"activations/{activation.id}/pause/"))
        finally:
            connection.close()

    with psycopg.connect(database_url, autocommit=True) as looking, psycopg.connect(database_url) as slow:
        slow.execute("LOCK TABLE activation_count IN ACCESS EXCLUSIVE MODE")  # counting takes as long as this lasts
        thread = threading.Thread(target=pause)
        thread.start()
        until(lambda: looking.execute(WAITING, ["%FROM activation_count%"]).fetchone() == (1,))
        with psycopg.connect(database_url, options="-c lock_timeout=1s") as configuring:
            configuring.execute("UPDATE configuration_version SET version = version + 1")
        slow.rollback()
        thread.join()

    assert [(answer.status, answer.body["status"]) for answer in answers] == [(200, "paused")]
    assert answers[0].body["counts"]["wanted"] == len(IDS)
