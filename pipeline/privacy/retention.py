"""Retention: users who were not seen for long, old activity and old logs are deleted as each customer wants it.

A night's sweep goes through the buckets one after the other, a bounded batch at a time, and waits while rows are in
the inbox. The database keeps how far it has come, so a sweep that was killed goes on there.
"""

from datetime import datetime, timedelta
from uuid import UUID

from activation.stores import batches, dead_letters
from core import clock
from core.buckets import BUCKETS, try_lock
from core.clock import milliseconds
from core.database import Connection, connect
from core.inbox import InboxCommand, InboxKind, append
from core.models import Customer
from integrations.models import Platform
from pipeline import bad_rows
from pipeline.models import RetentionRun
from pipeline.privacy.erasures import NOBODY
from profiles import erased
from profiles.messages import Erase, encode
from profiles.state import DAY_MS, DAYS_KEPT, ProfileState
from profiles.store import page_of_profiles, save_activity, unseen_users

HOUR = 2  # of the UTC day, when the night's sweep begins
BATCH = 500
BUCKETS_A_ROUND = 16
HASHES_KEPT = timedelta(days=30)
FIRST = UUID(int=0)

WAITING = "SELECT EXISTS (SELECT FROM inbox)"


def sweep() -> None:
    """Sweep the next buckets of tonight. Does nothing before `HOUR`, or when all buckets are done."""
    now = clock.now()
    if now.hour < HOUR:
        return
    run, _ = RetentionRun.objects.get_or_create(day=now.date(), defaults={"next_bucket": 0})
    if run.next_bucket >= BUCKETS:
        return
    with connect(durable=False) as connection:
        for bucket in range(run.next_bucket, min(run.next_bucket + BUCKETS_A_ROUND, BUCKETS)):
            row = connection.execute(WAITING).fetchone()
            if row is None or row[0] or not sweep_bucket(connection, bucket, now):
                return
            RetentionRun.objects.filter(day=run.day).update(next_bucket=bucket + 1)
    RetentionRun.objects.filter(day__lt=run.day).delete()


def sweep_bucket(connection: Connection, bucket: int, now: datetime) -> bool:
    """Delete what one bucket has kept long enough. Returns false if another process works on the bucket."""
    for customer in Customer.objects.order_by("m"):
        if not _forget_users(connection, bucket, customer, now):
            return False
        if not _forget_days(connection, bucket, customer, now):
            return False
        _forget_logs(connection, bucket, customer, now - timedelta(days=customer.keep_logs_days))
    with connection.cursor() as cursor:
        erased.forget(cursor, [bucket], now - HASHES_KEPT)
    return True


def _forget_users(connection: Connection, bucket: int, customer: Customer, now: datetime) -> bool:
    """Erase users who have not been seen for long, as if they had asked for it. Platforms are told."""
    before = now - timedelta(days=customer.keep_users_days)
    after = FIRST
    while True:
        with connection.transaction(), connection.cursor(binary=True) as cursor:
            if not try_lock(cursor, {bucket}):
                return False
            users = unseen_users(cursor, bucket, customer.m, before, after, BATCH)
            append(cursor, [_erase(customer.m, bucket, user, now) for user in users])
        if len(users) < BATCH:
            return True
        after = users[-1]


def _erase(customer: int, bucket: int, user: UUID, now: datetime) -> InboxCommand:
    message = Erase(customer=customer, user=str(user), at=milliseconds(now), erasure=str(NOBODY))
    return InboxCommand(bucket, InboxKind.ERASE, encode(message), now)


def _forget_days(connection: Connection, bucket: int, customer: Customer, now: datetime) -> bool:
    """Delete the daily counts that are too old. First, last and total of the activity stay."""
    if customer.keep_activity_days >= DAYS_KEPT:
        return True  # absorb keeps no more
    oldest = milliseconds(now) // DAY_MS - customer.keep_activity_days
    after = FIRST
    while True:
        with connection.transaction(), connection.cursor(binary=True) as cursor:
            if not try_lock(cursor, {bucket}):
                return False
            page = page_of_profiles(cursor, bucket, customer.m, after, BATCH)
            save_activity(cursor, [state for state in page if _drop_days(state, oldest)])
        if len(page) < BATCH:
            return True
        after = page[-1].user_id


def _drop_days(state: ProfileState, oldest: int) -> bool:
    """Drops days up to `oldest`. Returns whether there were any."""
    before = sum(len(seen["days"]) for seen in state.activity.values())
    for seen in state.activity.values():
        seen["days"] = {day: count for day, count in seen["days"].items() if int(day) > oldest}
    return sum(len(seen["days"]) for seen in state.activity.values()) < before


def _forget_logs(connection: Connection, bucket: int, customer: Customer, before: datetime) -> None:
    platforms = list(Platform.objects.filter(customer=customer).values_list("pl", flat=True))
    batches.delete_older(connection, bucket, platforms, before)
    dead_letters.delete_older(connection, bucket, platforms, before)
    bad_rows.delete_older(connection, bucket, customer.m, before)
