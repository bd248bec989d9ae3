"""The deliver stage as its runners see it: which lanes have work, and one holder's time in a lane."""

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.conf import settings
from psycopg import Cursor

from activation.delivery import creation, files, lane_worker, processing_log, quotas, targets
from activation.delivery.lane_worker import LaneVisit
from activation.delivery.lanes import CREATION, FILES, LANES, buckets_of
from activation.delivery.targets import DeliveryTarget
from activation.stores import bulk_changes, deliveries, uploaded_files
from activation.stores.due_marks import marks_of
from core import clock
from core.buckets import try_lock
from core.database import Connection, connect
from core.steps import Steps
from core.wakeups import DELIVER, wakeups
from integrations.connectors.files import FileConnector
from integrations.connectors.registry import all_connectors
from pipeline.lane_slots import LaneSlots
from pipeline.per_thread import PerThread
from pipeline.privacy import erasures

# how long one task keeps to its lane before others may have the thread
SHIFT_SECONDS = 5.0
# members are sent once more when this share of their time at the platform is left
REFRESHED_AT = 0.2
RENEWING_SECONDS = 5.0
REPLAYS_KEPT = timedelta(days=30)

# broken ones too: they are tried again once their platform is configured otherwise
PENDING = "SELECT 1 FROM activation WHERE platform_id = %s AND status IN ('pending', 'broken', 'ending') LIMIT 1"
PLATFORMS = "SELECT pl, connector FROM platform WHERE enabled"

steps = Steps(logging.getLogger(__name__))

# durable: what was sent must not be forgotten
connections = PerThread(lambda: connect(durable=True))
# the lanes in which the threads of this process work
slots = LaneSlots()


def run(platform: int, lane: int) -> None:
    """Run one lane of a platform until nothing is due there, or the shift is over.

    Does nothing where this process works in the lane already, or where the platform has its share of the threads: it
    is woken again as soon as one of them is free.
    """
    if not slots.take(platform, lane):
        return
    try:
        _run(platform, lane)
    finally:
        awake = wakeups(settings.REDIS_URL)
        for refused in slots.give_back(platform, lane):
            awake.sleep(DELIVER, platform, refused)
            awake.wake(DELIVER, platform, refused)


def _run(platform: int, lane: int) -> None:
    awake = wakeups(settings.REDIS_URL)
    awake.stay_awake(DELIVER, platform, lane)
    end = time.monotonic() + SHIFT_SECONDS
    reported = [time.monotonic()]

    def keep_on() -> bool:
        now = time.monotonic()
        if now - reported[0] >= 1:
            awake.stay_awake(DELIVER, platform, lane)
            reported[0] = now
        return now < end

    visit = _visit(platform, lane, keep_on, slots.has_many_free)
    if visit.is_held_back:
        awake.rest(DELIVER, platform, lane)  # the sweeper looks after it meanwhile
        return
    awake.sleep(DELIVER, platform, lane)
    if lane == CREATION:
        awake.wake_all(DELIVER, [(platform, following) for following in range(LANES)] if visit.rows else ())
    elif visit.rows and is_due(platform, lane, clock.now()):
        # came while this worker still counted as awake, or the shift was over
        awake.wake(DELIVER, platform, lane)


def work(
    platform: int, lane: int, keep_on: Callable[[], bool], may_stay: Callable[[], bool] = lane_worker.never
) -> int:
    """One holder's time in a lane; returns how many rows (or segments) it took on.

    `may_stay`: whether it may wait there for a moment for more.
    """
    return _visit(platform, lane, keep_on, may_stay).rows


def _visit(platform: int, lane: int, keep_on: Callable[[], bool], may_stay: Callable[[], bool]) -> LaneVisit:
    with connections.dropped_on_error() as connection:
        if lane == CREATION:
            try:
                created = creation.create_pending(connection, platform, erasures.unfinished)
            finally:  # one must not wait for the other
                spoken = processing_log.look(connection, platform)
            return LaneVisit(created + spoken)
        if lane == FILES:
            return LaneVisit(files.drain(connection, platform, keep_on))
        return lane_worker.drain(connection, platform, lane, keep_on, may_stay)


def lanes() -> list[tuple[int, int]]:
    """Returns the (platform, lane)s in which there may be work."""
    found = []
    for platform, connector in connections.get().execute(PLATFORMS):
        kind = all_connectors().get(connector)
        takes_files = kind is not None and issubclass(kind, FileConnector)
        found += [(platform, lane) for lane in (CREATION, *((FILES,) if takes_files else range(LANES)))]
    return found


def renew() -> None:
    """Have ids sent again that their platform would forget after a while: as many as a few seconds allow."""
    end = time.monotonic() + RENEWING_SECONDS
    with connections.dropped_on_error() as connection, connection.cursor(binary=True) as cursor:
        for platform in {platform for platform, _ in lanes()}:
            steps.run(f"renewal of platform {platform}", partial(_renew, connection, cursor, platform, end))


def _renew(connection: Connection, cursor: Cursor[Any], platform: int, end: float) -> None:
    target = targets.fillable(cursor, platform)
    if target is not None and target.connector.ttl_days:
        _renew_page_by_page(connection, cursor, target, lambda: time.monotonic() < end)


def _renew_page_by_page(
    connection: Connection, cursor: Cursor[Any], target: DeliveryTarget, keep_on: Callable[[], bool]
) -> None:
    """Page by page, each in a transaction that holds its bucket; buckets that somebody holds come a minute later."""
    at, activations = clock.now(), sorted(target.segments)
    soon = at + timedelta(days=target.connector.ttl_days or 0) * REFRESHED_AT
    for bucket in bulk_changes.buckets_to_refresh(cursor, activations, at, soon):
        changed = bulk_changes.PAGE
        while changed == bulk_changes.PAGE and keep_on():
            with connection.transaction():
                held = try_lock(cursor, {bucket})
                changed = bulk_changes.refresh(cursor, activations, bucket, at, soon) if held else 0


def delete_old_records() -> None:
    """Delete what is kept for a while only: quotas of past days, the processing log of old files, old replays."""
    connection, at = connections.get(), clock.now()
    quotas.forget(connection, at)
    bulk_changes.delete_replays(connection, at - REPLAYS_KEPT)
    uploaded_files.forget(connection, at)


def is_due(platform: int, lane: int, at: datetime) -> bool:
    """Returns whether the lane has something to send; the creation lane, a segment to create or a file to check."""
    connection = connections.get()
    if lane == CREATION:
        pending = connection.execute(PENDING, [platform]).fetchone() is not None
        return pending or uploaded_files.is_due(connection, platform, at)
    marks = marks_of(platform, lane, wanted=None)
    for look in marks.looks(buckets_of(lane), at):
        if deliveries.is_due(connection, platform, look, at):
            return True
        marks.learn(look, at)
    return False
