"""What may be done with an activation."""

from datetime import UTC, datetime
from typing import Any

import msgspec
from django.core.exceptions import ValidationError
from django.db import connection, transaction

from activation.commands import Backfill, encode
from activation.delivery.lanes import CREATION, LANES
from activation.delivery.targets import segment_of
from activation.models import Activation, Delivery
from audiences.models import Audience
from edge.buckets import BUCKETS
from edge.commands import Command
from edge.kinds import Kind
from edge.transactions import send, wake_when_committed
from edge.wakeups import DELIVER
from integrations.connectors.base import Member, Operation, SegmentSource
from integrations.http import Request
from integrations.models import Platform
from integrations.services import connector_of

COUNTS = """
SELECT count(*) FILTER (WHERE wanted),
       count(*) FILTER (WHERE acknowledged),
       count(*) FILTER (WHERE due_at IS NOT NULL),
       count(*) FILTER (WHERE dead)
FROM delivery WHERE bucket = ANY(%s::smallint[]) AND activation_id = %s
"""
UNMAPPED = """
SELECT count(*) FROM membership m
WHERE m.bucket = ANY(%s::smallint[]) AND m.audience_id = %s AND m.member AND NOT EXISTS (
    SELECT 1 FROM user_mapping x
    WHERE x.bucket = m.bucket AND x.user_id = m.user_id AND x.platform_id = %s)
"""


def activate(audience: Audience, platform: Platform, settings: dict[str, Any]) -> Activation:
    """Send an audience to a platform: the segment is created there and filled, without further steps.

    Raises Django's `ValidationError` for what the platform cannot do.
    """
    _check(audience, platform, settings)
    with transaction.atomic():
        activation = Activation.objects.create(audience=audience, platform=platform, settings=settings)
        message = encode(Backfill(activation.id))
        now = datetime.now(UTC)
        send([Command(bucket, Kind.BACKFILL, message, now) for bucket in range(BUCKETS)])
        wake_when_committed(DELIVER, platform.pl, CREATION)
    return activation


def pause(activation: Activation) -> None:
    """Send nothing until it is resumed; what is wanted goes on being kept."""
    _set_status(activation, Activation.Status.PAUSED)


def resume(activation: Activation) -> None:
    """Go on sending: first of all what changed during the pause."""
    known = activation.segment_id is not None
    _set_status(activation, Activation.Status.LIVE if known else Activation.Status.PENDING)


def resync(activation: Activation) -> None:
    """Send the whole wanted state again."""
    now = datetime.now(UTC)
    with transaction.atomic():
        rows = Delivery.objects.filter(activation_id=activation.id)
        rows.filter(claim=None).update(due_at=now, attempts=0, dead=False, error="", acknowledged=None)
    for lane in range(LANES):
        wake_when_committed(DELIVER, activation.platform_id, lane)


def counts(activation: Activation) -> dict[str, int]:
    """How far the platform is: `wanted`, `acknowledged`, `due`, `waiting_for_mapping`, `dead` ids."""
    with connection.cursor() as cursor:
        cursor.execute(COUNTS, [list(range(BUCKETS)), activation.id])
        wanted, acknowledged, due, dead = cursor.fetchone()
        cursor.execute(UNMAPPED, [list(range(BUCKETS)), activation.audience_id, activation.platform_id])
        (unmapped,) = cursor.fetchone()
    return {
        "wanted": wanted, "acknowledged": acknowledged, "due": due, "waiting_for_mapping": unmapped, "dead": dead,
    }  # fmt: skip


def preview(activation: Activation) -> list[dict[str, Any]]:
    """The requests that the next batch would send, secrets left out; sends nothing."""
    connector = connector_of(activation.platform)
    segment = segment_of(activation)
    now = int(datetime.now(UTC).timestamp())
    if segment.id is None and connector.segment_source is SegmentSource.CREATED:
        return [_shown(connector.creation(segment, now))]
    due = Delivery.objects.filter(activation_id=activation.id, due_at__isnull=False).order_by("due_at")
    shown = []
    for operation in Operation:
        rows = due.filter(wanted=operation is Operation.ADD)[: connector.batch_size]
        members = [Member(segment, row.platform_user_id, row.user_id) for row in rows]
        if members:
            shown.append(_shown(connector.push(operation, members, now)))
    return shown


def _check(audience: Audience, platform: Platform, settings: dict[str, Any]) -> None:
    if audience.customer_id != platform.customer_id:
        raise ValidationError({"platform": ["belongs to another customer"]})
    if Activation.objects.filter(audience=audience, platform=platform).exists():
        raise ValidationError({"platform": ["this audience is sent to this platform already"]})
    connector = connector_of(platform)
    if not connector.delivers:
        raise ValidationError({"platform": ["this platform is for user sync only"]})
    connector.validate_activation(settings)


def _set_status(activation: Activation, status: str) -> None:
    activation.status = status
    activation.save(update_fields=["status"])
    for lane in (CREATION, *range(LANES)):
        wake_when_committed(DELIVER, activation.platform_id, lane)


def _shown(request: Request) -> dict[str, Any]:
    return {
        "method": request.method,
        "url": request.url,
        "headers": {**request.headers, **dict.fromkeys(request.secret_headers, "•••")},
        "body": None if request.body is None else msgspec.json.decode(request.body),
    }
