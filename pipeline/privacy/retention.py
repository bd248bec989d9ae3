"""Retention: users who were not seen for long, old activity and old logs are deleted as each customer wants it.

A night's sweep goes through the buckets one after the other, a bounded batch at a time. It works for half of each
second, and for a tenth while many rows wait in the inbox. The database keeps how far it has come: a sweep that was
killed, or that did not end before the next night, goes on there.
"""

import logging
import time
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import psycopg
from django.conf import settings
from django.db import transaction
from psycopg import Cursor

from activation.stores import batches, dead_letters
from audiences.evaluation import EvaluationTask
from core import audit, clock
from core.audit.entries import forget_old
from core.buckets import BUCKETS, lock_within
from core.clock import milliseconds
from core.database import Connection, connect
from core.days import days_of
from core.inbox import append
from core.models import Customer
from core.shared_cache import forget_ended
from core.steps import Steps
from integrations.models import Platform
from pipeline import backlog, bad_rows, catalogue
from pipeline.absorb import stage
from pipeline.absorb.inbox_marks import InboxMarks
from pipeline.absorb.unit_of_work import UnitOfWork
from pipeline.models import ExportRun, RetentionRun
from pipeline.privacy import delivered_files
from pipeline.privacy.erasures import command, forget_examples
from profiles import erased
from profiles.state import DAYS_KEPT, ProfileState
from profiles.store import page_of_profiles, save_activity, unseen_users

HOUR = 2  # of the UTC day, when the night's sweep begins
BATCH = 500
HASHES_KEPT = timedelta(days=30)
DRAFTS_KEPT = timedelta(days=1)
FIRST_BUCKET = 0
FIRST = UUID(int=0)
DONE = object()

Batches = Generator[None, None, bool]
"""Yields after each batch, outside of transactions; returns false if the bucket's lock could not be had."""

PATIENCE_MS = 2_000  # for the lock of a bucket, which its holder has for a batch
SECONDS = 0.5  # of one call
BUSY_SECONDS = 0.1  # … while the hub is busy
BUSY_ROWS = 1_000  # that wait in the inbox
NEXT_LOOK_SECONDS = 60.0  # where nothing is left to do

erased_users: Counter[int] = Counter()
"""How many users of each customer this process has erased in the sweep that is under way: for the audit log."""

steps = Steps(logging.getLogger(__name__))


class Retention:
    """The sweep that is under way, in one process. `tend` is to be called every second."""

    def __init__(self) -> None:
        self._steps: Iterator[None] = iter(())
        self._marks = InboxMarks()
        self._next_look = 0.0

    def tend(self) -> None:
        """Do some batches of the sweep, if one is due. The more rows wait in the inbox, the fewer."""
        began = time.monotonic()
        if began < self._next_look:
            return
        if next(self._steps, DONE) is DONE:
            self._steps = _sweep()
            if next(self._steps, DONE) is DONE:
                self._next_look = began + NEXT_LOOK_SECONDS
                return
        while time.monotonic() - began < self._room() and next(self._steps, DONE) is not DONE:
            pass

    def _room(self) -> float:
        return BUSY_SECONDS if backlog.rows_waiting(BUSY_ROWS, self._marks) >= BUSY_ROWS else SECONDS


def _sweep() -> Iterator[None]:
    """Go on with the sweep that is due; yields after each batch. Ends early if a bucket's lock cannot be had."""
    run = _unfinished(clock.now())
    if run is None:
        return
    if run.next_bucket == 0:
        forget_ended()
        entries = forget_old(settings.KEEP_AUDIT_DAYS)
        audit.record("begin", "retention", run.day, after={"audit entries deleted": entries})
    with connect(durable=False) as connection:
        for bucket in range(run.next_bucket, BUCKETS):
            if not (yield from _sweep_bucket(connection, bucket, clock.now())):
                return
            RetentionRun.objects.filter(day=run.day).update(next_bucket=bucket + 1)
        _record_end(run)


def _record_end(run: RetentionRun) -> None:
    with transaction.atomic():
        audit.record("end", "retention", run.day)
        for customer, users in sorted(erased_users.items()):
            audit.record("erase", "unseen users", run.day, customer=customer, after={"users": users})
    erased_users.clear()


def _unfinished(now: datetime) -> RetentionRun | None:
    """Returns the sweep to go on with: the last one if it has not ended, on whatever day it began, else tonight's."""
    run = RetentionRun.objects.order_by("-day").first()
    if run is not None and run.next_bucket < BUCKETS:
        return run
    if now.hour < HOUR or (run is not None and run.day >= now.date()):
        return None
    RetentionRun.objects.all().delete()
    return RetentionRun.objects.create(day=now.date(), next_bucket=0)


def sweep_bucket(connection: Connection, bucket: int, now: datetime) -> bool:
    """Delete what one bucket has kept long enough. Returns false if another process does not let go of the bucket."""
    steps = _sweep_bucket(connection, bucket, now)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return bool(end.value)


def _sweep_bucket(connection: Connection, bucket: int, now: datetime) -> Batches:
    for customer in Customer.objects.order_by("m"):
        try:
            if not (yield from _sweep_customer(connection, bucket, customer, now)):
                return False
        except (psycopg.OperationalError, psycopg.InterfaceError):
            raise  # the database's own trouble: the sweep goes on here
        except Exception as error:  # the next night tries again
            steps.note_failure(f"retention of customer {customer.m}", error)
    if bucket == FIRST_BUCKET:
        delivered_files.delete_abandoned(now - DRAFTS_KEPT)
        delivered_files.delete_ownerless(_platforms())
    with connection.cursor() as cursor:
        erased.forget(cursor, [bucket], now - HASHES_KEPT)
    return True


def _sweep_customer(connection: Connection, bucket: int, customer: Customer, now: datetime) -> Batches:
    if not (yield from _forget_users(connection, bucket, customer, now)):
        return False
    if not (yield from _forget_days(connection, bucket, customer, now)):
        return False
    _forget_logs(connection, bucket, customer, now - timedelta(days=customer.keep_logs_days))
    if bucket == FIRST_BUCKET:  # files are in no bucket
        oldest = now - timedelta(days=customer.keep_logs_days)
        delivered_files.delete_older(customer.m, oldest)  # exported ones, too
        ExportRun.objects.filter(export__customer=customer, finished_at__lt=oldest).delete()
    yield
    return True


def _forget_users(connection: Connection, bucket: int, customer: Customer, now: datetime) -> Batches:
    """Erase users who have not been seen for long, as if they had asked for it. Platforms are told."""
    before = now - timedelta(days=customer.keep_users_days)
    after = FIRST
    while True:
        with connection.transaction(), connection.cursor(binary=True) as cursor:
            if not lock_within(cursor, bucket, PATIENCE_MS):
                return False
            users = unseen_users(cursor, bucket, customer.m, before, after, BATCH)
            append(cursor, [command(customer.m, user, now) for user in users])
        if users:
            forget_examples(customer.m)
            erased_users[customer.m] += len(users)
        if len(users) < BATCH:
            return True
        after = users[-1]
        yield


def _forget_days(connection: Connection, bucket: int, customer: Customer, now: datetime) -> Batches:
    """Delete the daily counts that are too old. First, last and total of the activity stay."""
    if customer.keep_activity_days >= DAYS_KEPT:
        return True  # absorb keeps no more
    oldest = days_of(customer.time_zone).day_of(milliseconds(now)) - customer.keep_activity_days
    after = FIRST
    while True:
        page = catalogue.run(partial(_forget_days_of_page, connection, bucket, customer.m, after, oldest))
        if page is None:
            return False
        if len(page) < BATCH:
            return True
        after = page[-1].user_id
        yield


def _forget_days_of_page(
    connection: Connection, bucket: int, customer: int, after: UUID, oldest: int
) -> Sequence[ProfileState] | None:
    """Returns the profiles looked at; None if another process does not let go of the bucket."""
    touched: set[tuple[int, int]] = set()
    with connection.transaction(), connection.cursor(binary=True) as cursor:
        if not lock_within(cursor, bucket, PATIENCE_MS):
            return None
        page = page_of_profiles(cursor, bucket, customer, after, BATCH)
        shrunk = [(state, pixels) for state in page if (pixels := _drop_days(state, oldest))]
        if shrunk:
            save_activity(cursor, [state for state, _ in shrunk])
            touched = _evaluate(cursor, bucket, shrunk)
    stage.wake_deliverers(touched)
    return page


def _drop_days(state: ProfileState, oldest: int) -> set[str]:
    """Drops days up to `oldest`. Returns the pixels that had any."""
    pixels = set()
    for pixel, seen in state.activity.items():
        kept = {day: count for day, count in seen["days"].items() if int(day) > oldest}
        if len(kept) < len(seen["days"]):
            seen["days"] = kept
            pixels.add(pixel)
    return pixels


def _evaluate(
    cursor: Cursor[Any], bucket: int, shrunk: Iterable[tuple[ProfileState, set[str]]]
) -> set[tuple[int, int]]:
    """Evaluate the audiences that count what was forgotten. Returns where something is to be delivered now."""
    unit = UnitOfWork(cursor, {bucket}, clock.now())
    tasks: list[EvaluationTask] = []
    for state, pixels in shrunk:
        if state.eligible:
            counts = frozenset(f"pixel.{pixel}" for pixel in pixels)
            tasks.append((state, unit.catalogue.audiences.affected(state.customer, counts)))
    unit.memberships.evaluate(lambda evaluation: evaluation.of_tasks(tasks))
    return unit.finish()


def _platforms() -> dict[int, set[int]]:
    """Returns the platforms that there are, by customer."""
    found: dict[int, set[int]] = {m: set() for m in Customer.objects.values_list("m", flat=True)}
    for customer, platform in Platform.objects.values_list("customer_id", "pl"):
        found.setdefault(customer, set()).add(platform)
    return found


def _forget_logs(connection: Connection, bucket: int, customer: Customer, before: datetime) -> None:
    platforms = list(Platform.objects.filter(customer=customer).values_list("pl", flat=True))
    batches.delete_older(connection, bucket, platforms, before)
    dead_letters.delete_older(connection, bucket, platforms, before)
    bad_rows.delete_older(connection, bucket, customer.m, before)
