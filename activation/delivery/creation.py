"""Creating segments at their platform, by itself, as soon as an activation is made."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
from django.core.exceptions import ValidationError
from django.db import transaction
from psycopg import Cursor

from activation.delivery import lanes, log
from activation.delivery.retry import FIRST, LONGEST
from activation.delivery.targets import Target, target
from activation.models import Activation, Batch
from integrations import http
from integrations.connectors.base import Segment, SegmentSource
from integrations.errors import IntegrationError

Connection = psycopg.Connection[tuple[Any, ...]]

# requests of the creation lane are logged in a bucket of their own choice
BUCKET = 0

FAILURES = """
SELECT count(*), max(started_at) FROM batch
WHERE platform_id = %s AND operation = 'create' AND activations = %s::jsonb AND status <> 'done'
"""


def create_pending(connection: Connection, platform: int) -> int:
    """Create the platform's pending segments that are due; answers how many were."""
    with connection.cursor() as cursor:
        try:
            found = target(cursor, platform)
        except ValidationError:
            return 0
        if found is None or not found.pending:
            return 0
        duration = (timedelta(seconds=found.connector.timeout) + lanes.MARGIN) * len(found.pending)
        lease = lanes.lease(cursor, platform, lanes.CREATION, datetime.now(UTC), duration)
        if lease is None:
            return 0
        created = sum(_create(cursor, found, segment) for segment in found.pending if _is_due(cursor, found, segment))
        lease.release(cursor)
        return created


def _is_due(cursor: Cursor[Any], found: Target, segment: Segment) -> bool:
    """After each failure twice as long as after the one before; the log remembers them."""
    cursor.execute(FAILURES, [found.platform, str([segment.activation])])
    failures, last = cursor.fetchone() or (0, None)
    if last is None:
        return True
    wait = min(FIRST * 2.0 ** min(failures - 1, 20), LONGEST)
    return bool(datetime.now(UTC) >= last + timedelta(seconds=wait))


def _create(cursor: Cursor[Any], found: Target, segment: Segment) -> bool:
    if found.connector.segment_source is SegmentSource.GIVEN:
        _live(segment, found.connector.given_segment(segment.settings))
        return True
    batch = uuid4()
    try:
        request = found.connector.creation(segment, int(time.time()))
        excerpt = f"{request.method} {request.url}"
        log.start(
            cursor,
            BUCKET,
            batch,
            found.platform,
            [segment.activation],
            "create",
            0,
            excerpt,
            datetime.now(UTC),
        )
        response = http.send(request, found.connector.timeout)
        segment_id = found.connector.segment_id(segment, response)
    except IntegrationError as failure:
        _failed(cursor, batch, segment, str(failure))
        return False
    _live(segment, segment_id)
    answer = (response.status, response.excerpt)
    log.finish(cursor, BUCKET, batch, Batch.Status.DONE, 0, answer, "", datetime.now(UTC))
    return True


def _failed(cursor: Cursor[Any], batch: UUID, segment: Segment, error: str) -> None:
    log.finish(cursor, BUCKET, batch, Batch.Status.FAILED, 0, None, error, datetime.now(UTC))
    Activation.objects.filter(id=segment.activation).exclude(last_error=error).update(last_error=error)


def _live(segment: Segment, segment_id: Any) -> None:
    """The segment exists; a marketer who paused the activation meanwhile keeps it paused."""
    with transaction.atomic():
        activation = Activation.objects.select_for_update().filter(id=segment.activation).first()
        if activation is None:
            return
        activation.segment_id, activation.last_error = segment_id, ""
        if activation.status == Activation.Status.PENDING:
            activation.status = Activation.Status.LIVE
        activation.save(update_fields=["segment_id", "status", "last_error"])
