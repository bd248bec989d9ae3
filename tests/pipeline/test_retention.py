"""What is kept no longer than its customer wants."""

import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from django.db.models import F

from activation.models import Batch
from core import clock
from core.buckets import BUCKETS, try_lock
from core.database import connect
from core.models import BadRow, Customer, Inbox
from integrations.models import Platform
from pipeline.models import RetentionRun
from pipeline.privacy import retention
from pipeline.privacy.retention import Retention
from profiles.models import ErasedId, Profile
from tests.support.edge_process import until
from tests.support.shop import DAY, Shop, now_ms, rule, somebody

WAITING_FOR_A_BUCKET = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"


def sweep(shop: Shop, days_later: int) -> None:
    """As if the night were that many days from now."""
    with connect(durable=False) as connection:
        for bucket in range(BUCKETS):
            assert retention.sweep_bucket(connection, bucket, datetime.now(UTC) + timedelta(days=days_later))


def keep(shop: Shop, **days: int) -> None:
    Customer.objects.filter(pk=shop.customer.pk).update(**days)


def test_user_who_was_not_seen_for_long__is_erased_and_the_platform_is_told(shop: Shop) -> None:
    shop.attribute("amount", "number")
    ads = shop.platform()
    shop.activation(shop.audience("buyers", rule("attribute.amount", ">", 100)), ads)
    gone = somebody()
    shop.event(gone, {"amount": 150})
    shop.sync(gone, ads, "x")
    shop.absorb()
    shop.accept_all_deliveries()

    keep(shop, keep_users_days=30)
    sweep(shop, days_later=29)
    shop.absorb()
    assert Profile.objects.filter(user_id=gone).exists()
    sweep(shop, days_later=31)
    shop.absorb()

    assert not Profile.objects.filter(user_id=gone).exists()
    assert shop.due() == {("x", False)}


def test_days_of_activity__older_than_is_kept__go__and_the_total_stays(shop: Shop) -> None:
    user = somebody()
    shop.event(user, at=now_ms() - 40 * DAY)
    shop.event(user, at=now_ms() - 2 * DAY)
    shop.absorb()
    seen_at = shop.profile(user).updated_at

    keep(shop, keep_activity_days=30)
    sweep(shop, days_later=0)

    seen = shop.profile(user).activity[str(shop.pixel.id)]
    assert (seen["total"], list(seen["days"].values())) == (2, [1])
    assert shop.profile(user).updated_at == seen_at


def test_profile_of_one_customer_cannot_be_read__those_of_the_others_are_swept(shop: Shop) -> None:
    odd, mine = Customer.objects.create(m=0, name="odd"), shop.customer  # the first to be swept
    user = somebody()
    for customer in (odd, mine):
        shop.customer = customer
        shop.event(user, at=now_ms() - 40 * DAY)
        shop.event(user, at=now_ms() - 2 * DAY)
        shop.absorb()
        keep(shop, keep_activity_days=30)
    Profile.objects.filter(customer_id=odd.m).update(activity=[])

    sweep(shop, days_later=0)

    assert len(shop.profile(user).activity[str(shop.pixel.id)]["days"]) == 1


def test_logs__older_than_is_kept__go(shop: Shop) -> None:
    ads: Platform = shop.platform()
    now = datetime.now(UTC)
    for days in (5, 15):
        at = now - timedelta(days=days)
        Batch.objects.create(
            bucket=3, id=somebody(), platform_id=ads.pl, operation="add", status="done", rows=1, started_at=at
        )
        BadRow.objects.create(
            bucket=4,
            id=days,
            customer_id=shop.customer.m,
            kind=1,
            query=b"{}",
            reason="x",
            received_at=at,
            failed_at=at,
        )

    keep(shop, keep_logs_days=10)
    sweep(shop, days_later=0)

    assert (Batch.objects.count(), [row.id for row in shop.bad_rows()]) == (1, [5])


def test_marks_of_erased_ids__go_when_nothing_can_be_under_way(shop: Shop) -> None:
    old = datetime.now(UTC) - retention.HASHES_KEPT - timedelta(days=1)
    ErasedId.objects.create(bucket=9, customer_id=shop.customer.m, id_hash=b"x" * 16, at=old)
    ErasedId.objects.create(bucket=9, customer_id=shop.customer.m, id_hash=b"y" * 16, at=datetime.now(UTC))

    sweep(shop, days_later=0)

    assert [bytes(row.id_hash) for row in ErasedId.objects.all()] == [b"y" * 16]


@pytest.fixture
def night(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is three o'clock."""
    now = datetime.now(UTC)
    monkeypatch.setattr(clock, "ahead", now.replace(hour=3, minute=0) - now)


def next_bucket() -> int:
    return RetentionRun.objects.get().next_bucket


def tend(sweeping: Retention, upto: int) -> None:
    """Sweep, second by second, until that bucket is reached."""

    def reached() -> bool:
        sweeping.tend()
        return next_bucket() >= upto

    until(reached)


@pytest.mark.usefixtures("night")
def test_sweep__while_rows_wait__goes_on_all_the_same_and_ends_once_a_night(shop: Shop) -> None:
    for _ in range(retention.BUSY_ROWS):
        shop.event(somebody())
    sweeping = Retention()
    sweeping.tend()
    began = next_bucket()

    tend(sweeping, began + 1)
    assert Inbox.objects.count() == retention.BUSY_ROWS

    shop.absorb()
    tend(sweeping, BUCKETS)
    assert RetentionRun.objects.get().day == clock.now().date()
    Retention().tend()
    assert next_bucket() == BUCKETS


@pytest.mark.usefixtures("night")
def test_sweep__that_did_not_end_in_its_night__goes_on_where_it_was(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    yesterday = clock.now().date() - timedelta(days=1)
    RetentionRun.objects.create(day=yesterday, next_bucket=200)
    monkeypatch.setattr(clock, "ahead", clock.ahead - timedelta(hours=2))  # before the next night begins
    sweeping = Retention()
    tend(sweeping, 201)
    assert RetentionRun.objects.get().day == yesterday

    tend(sweeping, BUCKETS)
    Retention().tend()
    assert RetentionRun.objects.get().day == yesterday  # it is not yet time for tonight's
    monkeypatch.setattr(clock, "ahead", clock.ahead + timedelta(hours=2))
    Retention().tend()
    assert RetentionRun.objects.get().day == yesterday + timedelta(days=1)


def test_bucket__that_a_worker_holds__is_swept_as_soon_as_it_is_free(
    shop: Shop, database: psycopg.Connection[Any]
) -> None:
    done: list[bool] = []

    def sweep_it() -> None:
        with closing(connect(durable=False)) as own:
            done.append(retention.sweep_bucket(own, 7, datetime.now(UTC)))

    with closing(connect(durable=False)) as worker:
        thread = threading.Thread(target=sweep_it)
        with worker.transaction(), worker.cursor() as cursor:
            assert try_lock(cursor, {7}) == {7}
            thread.start()
            until(lambda: database.execute(WAITING_FOR_A_BUCKET).fetchone() is not None)
        thread.join(20)
    assert done == [True]


def test_days_that_go__are_counted_no_more__and_the_platform_is_told(shop: Shop) -> None:
    ads = shop.platform()
    often = shop.audience("often", rule(f"pixel.{shop.pixel.id}.count", ">=", 2, days=90))
    rarely = shop.audience("rarely", rule(f"pixel.{shop.pixel.id}.count", "<", 2, days=90))
    others = shop.audience("in neither", rule("audience", "notIn", [often.id]))
    shop.activation(often, ads)
    user = somebody()
    shop.event(user, at=now_ms() - 40 * DAY)
    shop.event(user, at=now_ms() - 2 * DAY)
    shop.sync(user, ads, "x")
    shop.absorb()
    shop.accept_all_deliveries()
    assert [shop.members(one) for one in (often, rarely, others)] == [{user}, set(), set()]

    keep(shop, keep_activity_days=30)
    sweep(shop, days_later=0)
    shop.absorb()

    assert [shop.members(one) for one in (often, rarely, others)] == [set(), {user}, {user}]
    assert shop.due() == {("x", False)}


def test_conversion_of_attributes__does_not_count_as_having_been_seen(shop: Shop) -> None:
    gone, back = somebody(), somebody()
    for user in (gone, back):
        shop.event(user, {"amount": "150"})
    shop.absorb()
    Profile.objects.update(updated_at=F("updated_at") - timedelta(days=40))
    shop.attribute("amount", "number")
    shop.absorb()
    assert shop.profile(gone).attributes == {"amount": 150}
    assert shop.profile(gone).updated_at > datetime.now(UTC) - timedelta(days=1)  # a lookalike scores it again
    shop.event(back)
    shop.absorb()

    keep(shop, keep_users_days=30)
    sweep(shop, days_later=0)
    shop.absorb()

    assert set(Profile.objects.values_list("user_id", flat=True)) == {back}
