"""What may be done with an activation."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import connection, transaction

from activation import backfills
from activation.delivery import deactivation
from activation.delivery.lanes import CREATION, FILES, LANES
from activation.models import Activation, Delivery
from activation.previews import preview
from activation.test_sends import test
from audiences.models import Audience
from core import clock
from core.buckets import BUCKETS
from core.transactions import wake_when_committed
from core.wakeups import DELIVER
from integrations.models import Platform
from integrations.services import connector_of

__all__ = ["activate", "counts", "deactivate", "pause", "preview", "resume", "resync", "test", "wake"]

COUNTS = """
SELECT count(*) FILTER (WHERE wanted),
       count(*) FILTER (WHERE acknowledged),
       count(*) FILTER (WHERE due_at IS NOT NULL),
       count(*) FILTER (WHERE dead),
       count(*) FILTER (WHERE NOT wanted AND acknowledged IS DISTINCT FROM false AND due_at IS NULL AND NOT dead)
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
        backfills.begin(activation.id)
        wake_when_committed(DELIVER, platform.pl, CREATION)
    return activation


def deactivate(activation: Activation) -> None:
    """Have the platform remove every member that it holds; the activation goes when nothing is left to tell.

    Where the platform cannot be told, it goes at once, and the platform keeps what it holds until it forgets.
    """
    told = connector_of(activation.platform).removal.is_sent and activation.segment_id is not None
    with transaction.atomic():
        with connection.cursor() as cursor:
            deactivation.unwant(cursor, activation.id, clock.now(), told=told)
        _set_status(activation, Activation.Status.ENDING)


def pause(activation: Activation) -> None:
    """Send nothing until it is resumed; what is wanted goes on being kept."""
    _refuse_ending(activation)
    _set_status(activation, Activation.Status.PAUSED)


def resume(activation: Activation) -> None:
    """Go on sending: first of all what changed during the pause."""
    _refuse_ending(activation)
    known = activation.segment_id is not None
    _set_status(activation, Activation.Status.LIVE if known else Activation.Status.PENDING)


def resync(activation: Activation) -> None:
    """Send the whole wanted state again; where the platform goes by our ids, to those too who were never matched."""
    _refuse_ending(activation)
    now = clock.now()
    with transaction.atomic():
        if connector_of(activation.platform).own_ids:
            backfills.begin(activation.id)
        rows = Delivery.objects.filter(bucket__in=range(BUCKETS), activation_id=activation.id)
        rows.filter(claim=None).update(due_at=now, attempts=0, dead=False, error="", acknowledged=None)
    wake(activation.platform_id)


def counts(activation: Activation) -> dict[str, int]:
    """How far the platform is: `wanted`, `acknowledged`, `due`, `waiting_for_mapping`, `dead`, `kept` ids.

    `kept`: no longer wanted, and the platform cannot be told (or forgets them by itself).
    """
    with connection.cursor() as cursor:
        cursor.execute(COUNTS, [list(range(BUCKETS)), activation.id])
        wanted, acknowledged, due, dead, kept = cursor.fetchone()
        cursor.execute(UNMAPPED, [list(range(BUCKETS)), activation.audience_id, activation.platform_id])
        (unmapped,) = cursor.fetchone()
    return {
        "wanted": wanted,
        "acknowledged": acknowledged,
        "due": due,
        "waiting_for_mapping": unmapped,
        "dead": dead,
        "kept": kept,
    }


def wake(platform: int) -> None:
    """Wake every lane of the platform once the transaction is committed."""
    for lane in (CREATION, FILES, *range(LANES)):
        wake_when_committed(DELIVER, platform, lane)


def _check(audience: Audience, platform: Platform, settings: dict[str, Any]) -> None:
    if audience.customer_id != platform.customer_id:
        raise ValidationError({"platform": ["belongs to another customer"]})
    if Activation.objects.filter(audience=audience, platform=platform).exists():
        raise ValidationError({"platform": ["this audience is sent to this platform already"]})
    connector = connector_of(platform)
    if not connector.delivers:
        raise ValidationError({"platform": ["this platform is for user sync only"]})
    connector.validate_activation(settings)


def _refuse_ending(activation: Activation) -> None:
    if activation.status == Activation.Status.ENDING:
        raise ValidationError({"status": ["this activation is ending"]})


def _set_status(activation: Activation, status: str) -> None:
    activation.status = status
    activation.save(update_fields=["status"])
    wake(activation.platform_id)
