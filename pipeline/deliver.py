"""The deliver stage as its runners see it."""

import threading
import time
from collections.abc import Callable
from datetime import datetime

from django.conf import settings

from activation.delivery import creation, files, lane_worker, processing_log, quotas, removals
from activation.delivery.lanes import CREATION, FILES, LANES, buckets_of
from core import clock
from core.database import Connection, connect
from core.wakeups import DELIVER, wakeups
from integrations.connectors.files import FileConnector
from integrations.connectors.registry import all_connectors

# how long one task keeps to its lane before others may have the thread
SHIFT_SECONDS = 5.0

DUE = """
SELECT 1 FROM activation a CROSS JOIN (VALUES (true), (false)) AS w (wanted) CROSS JOIN LATERAL (
    SELECT 1 FROM delivery WHERE activation_id = a.id AND wanted = w.wanted
        AND bucket = ANY(%(buckets)s::smallint[]) AND due_at <= %(now)s LIMIT 1) AS found
WHERE a.platform_id = %(platform)s AND a.status IN ('live', 'ending') LIMIT 1
"""
# broken ones too: they are tried again once their platform is configured otherwise
PENDING = "SELECT 1 FROM activation WHERE platform_id = %s AND status IN ('pending', 'broken', 'ending') LIMIT 1"
PLATFORMS = "SELECT pl, connector FROM platform WHERE enabled"

_local = threading.local()


def run(platform: int, lane: int) -> None:
    """Run one lane of a platform until nothing is due there, or the shift is over."""
    awake = wakeups(settings.REDIS_URL)
    end = time.monotonic() + SHIFT_SECONDS
    said = [time.monotonic()]

    def keep_on() -> bool:
        now = time.monotonic()
        if now - said[0] >= 1:
            awake.stay_awake(DELIVER, platform, lane)
            said[0] = now
        return now < end

    sent = work(platform, lane, keep_on)
    awake.sleep(DELIVER, platform, lane)
    if lane == CREATION:
        for following in range(LANES) if sent else ():
            awake.wake(DELIVER, platform, following)
    elif sent and is_due(platform, lane, clock.now()):
        # came while this worker still counted as awake, or the shift was over
        awake.wake(DELIVER, platform, lane)


def work(platform: int, lane: int, keep_on: Callable[[], bool]) -> int:
    """One holder's time in a lane; answers how many rows (or segments) it took on."""
    try:
        if lane == CREATION:
            return creation.create_pending(_connection(), platform) + processing_log.look(_connection(), platform)
        if lane == FILES:
            return files.drain(_connection(), platform, keep_on)
        return lane_worker.drain(_connection(), platform, lane, keep_on)
    except Exception:
        _forget()
        raise


def lanes() -> list[tuple[int, int]]:
    """The (platform, lane)s in which there may be work."""
    found = []
    for platform, connector in _connection().execute(PLATFORMS):
        kind = all_connectors().get(connector)
        takes_files = kind is not None and issubclass(kind, FileConnector)
        found += [(platform, lane) for lane in (CREATION, *((FILES,) if takes_files else range(LANES)))]
    return found


def renew() -> None:
    """Have those sent again whom their platform would forget."""
    connection = _connection()
    with connection.cursor(binary=True) as cursor:
        for platform in {platform for platform, _ in lanes()}:
            found = lane_worker.usable(cursor, platform)
            if found is not None:
                removals.renew(cursor, found, clock.now())


def forget() -> None:
    """Drop what is kept for a while only: quotas of days long past, and what became of old files."""
    connection, now = _connection(), clock.now()
    quotas.forget(connection, now)
    processing_log.forget(connection, now)


def is_due(platform: int, lane: int, now: datetime) -> bool:
    """Whether the lane has something to send, or the creation lane a segment to create or a file to ask about."""
    if lane == CREATION:
        pending = _connection().execute(PENDING, [platform]).fetchone() is not None
        return pending or processing_log.is_due(_connection(), platform, now)
    values = {"platform": platform, "buckets": buckets_of(lane), "now": now}
    return _connection().execute(DUE, values).fetchone() is not None


def _connection() -> Connection:
    """This thread's connection; durable: what is sent is never forgotten."""
    found: Connection | None = getattr(_local, "connection", None)
    if found is None or found.closed:
        found = _local.connection = connect(durable=True)
    return found


def _forget() -> None:
    found: Connection | None = getattr(_local, "connection", None)
    if found is not None:
        _local.connection = None
        found.close()
