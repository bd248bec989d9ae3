"""What is kept no longer than its customer wants: users nobody has seen, what they did long ago, and logs.

A night's sweep goes through the buckets one after the other, a bounded batch at a time, and stands back while rows
wait in the inbox. Where it was is kept in the database: a sweep that was killed goes on there.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from psycopg import Cursor

from core import clock
from core.arrays import Ints, SmallInts, Texts, Uuids, columns
from core.buckets import BUCKETS, try_lock
from core.clock import milliseconds
from core.database import Connection, connect
from core.inbox import InboxCommand, InboxKind, append
from core.models import Customer
from integrations.models import Platform
from pipeline.models import RetentionRun
from pipeline.privacy.erasures import NOBODY
from profiles import erased
from profiles.messages import Erase, encode
from profiles.state import DAY_MS, DAYS_KEPT, ProfileState
from profiles.store import page_of_profiles

HOUR = 2  # of the UTC day, from which on the night's sweep runs
BATCH = 500
BUCKETS_A_ROUND = 16
MARKS_KEPT = timedelta(days=30)
FIRST = UUID(int=0)

WAITING = "SELECT EXISTS (SELECT FROM inbox)"
UNSEEN = """
SELECT user_id FROM profile
WHERE bucket = %s AND customer_id = %s AND updated_at < %s AND merged_into IS NULL AND user_id > %s
ORDER BY user_id LIMIT %s
"""
LOGS = (
    "DELETE FROM batch WHERE bucket = %s AND platform_id = ANY(%s::int[]) AND started_at < %s",
    "DELETE FROM dead_letter WHERE bucket = %s AND platform_id = ANY(%s::int[]) AND died_at < %s",
)
SAVE_ACTIVITY = """
UPDATE profile p SET activity = k.activity::jsonb
FROM unnest(%s::smallint[], %s::int[], %s::uuid[], %s::text[]) AS k (bucket, customer_id, user_id, activity)
WHERE p.bucket = k.bucket AND p.customer_id = k.customer_id AND p.user_id = k.user_id
"""
BAD_ROWS = "DELETE FROM bad_row WHERE bucket = %s AND customer_id = %s AND failed_at < %s"


def sweep() -> None:
    """Some buckets of tonight's sweep; nothing by day, or where it is through."""
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
    """Drop what has been kept long enough of one bucket; no, where somebody works on it."""
    for customer in Customer.objects.order_by("m"):
        if not _forget_users(connection, bucket, customer, now):
            return False
        if not _forget_days(connection, bucket, customer, now):
            return False
        _forget_logs(connection, bucket, customer, now - timedelta(days=customer.keep_logs_days))
    with connection.cursor() as cursor:
        erased.forget(cursor, [bucket], now - MARKS_KEPT)
    return True


def _forget_users(connection: Connection, bucket: int, customer: Customer, now: datetime) -> bool:
    """Users who have not been seen are erased, like those who ask for it; platforms are told."""
    before = now - timedelta(days=customer.keep_users_days)
    after = FIRST
    while True:
        with connection.transaction(), connection.cursor(binary=True) as cursor:
            if not try_lock(cursor, {bucket}):
                return False
            cursor.execute(UNSEEN, [bucket, customer.m, before, after, BATCH])
            users = [user for (user,) in cursor]
            append(cursor, [_erase(customer.m, bucket, user, now) for user in users])
        if len(users) < BATCH:
            return True
        after = users[-1]


def _erase(customer: int, bucket: int, user: UUID, now: datetime) -> InboxCommand:
    message = Erase(customer=customer, user=str(user), at=milliseconds(now), erasure=str(NOBODY))
    return InboxCommand(bucket, InboxKind.ERASE, encode(message), now)


def _forget_days(connection: Connection, bucket: int, customer: Customer, now: datetime) -> bool:
    """Of activity only the days that are kept; first, last and total stay."""
    if customer.keep_activity_days >= DAYS_KEPT:
        return True  # absorb keeps no more
    oldest = milliseconds(now) // DAY_MS - customer.keep_activity_days
    after = FIRST
    while True:
        with connection.transaction(), connection.cursor(binary=True) as cursor:
            if not try_lock(cursor, {bucket}):
                return False
            page = page_of_profiles(cursor, bucket, customer.m, after, BATCH)
            _save_activity(cursor, [state for state in page if _drop_days(state, oldest)])
        if len(page) < BATCH:
            return True
        after = page[-1].user_id


def _drop_days(state: ProfileState, oldest: int) -> bool:
    """Whether any went."""
    before = sum(len(seen["days"]) for seen in state.activity.values())
    for seen in state.activity.values():
        seen["days"] = {day: count for day, count in seen["days"].items() if int(day) > oldest}
    return sum(len(seen["days"]) for seen in state.activity.values()) < before


def _save_activity(cursor: Cursor[Any], states: Sequence[ProfileState]) -> None:
    """That alone: when the user was seen last stays as it is."""
    rows = [(s.bucket, s.customer, s.user_id, msgspec.json.encode(s.activity)) for s in states]
    if rows:
        cursor.execute(SAVE_ACTIVITY, columns((SmallInts, Ints, Uuids, Texts), rows))


def _forget_logs(connection: Connection, bucket: int, customer: Customer, before: datetime) -> None:
    platforms = list(Platform.objects.filter(customer=customer).values_list("pl", flat=True))
    for statement in LOGS:
        connection.execute(statement, [bucket, platforms, before])
    connection.execute(BAD_ROWS, [bucket, customer.m, before])
