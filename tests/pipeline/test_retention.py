"""What is kept no longer than its customer wants."""

from datetime import UTC, datetime, timedelta

import pytest

from activation.models import Batch
from core.buckets import BUCKETS
from core.database import connect
from core.models import BadRow, Customer
from integrations.models import Platform
from pipeline.models import RetentionRun
from pipeline.privacy import retention
from profiles.models import ErasedId, Profile
from tests.support.shop import DAY, Shop, now_ms, rule, somebody


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


def test_sweep__stands_back_while_rows_wait__and_goes_on_where_it_was(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "HOUR", 0)
    user = somebody()
    shop.event(user)
    retention.sweep()
    assert RetentionRun.objects.get().next_bucket == 0

    shop.absorb()
    while (run := RetentionRun.objects.get()).next_bucket < BUCKETS:
        retention.sweep()
        assert RetentionRun.objects.get().next_bucket == run.next_bucket + retention.BUCKETS_A_ROUND

    retention.sweep()
    assert RetentionRun.objects.get().next_bucket == BUCKETS
