"""The status of activations as the delivery stage changes it: live, broken until a person acts, deleted at the end."""

from collections.abc import Callable, Collection, Set
from datetime import datetime
from hashlib import blake2b
from typing import Any
from uuid import UUID

import msgspec
from django.conf import settings
from django.db import transaction
from psycopg import Cursor

from activation.models import Activation
from activation.stores import bulk_changes, deliveries
from core import clock
from core.buckets import BUCKETS, lock
from core.database import Connection
from integrations.connectors.base import Segment
from integrations.errors import ConnectorFaultError, IntegrationError, MisconfiguredError, UnauthorizedError
from integrations.models import Platform

UnfinishedErasures = Callable[[Cursor[Any]], Collection[UUID]]
"""Reads which erasures have still to note what came of their deliveries."""

FIXABLE = (Activation.Status.LIVE, Activation.Status.PENDING)
ORPHAN = "The creation of {when} UTC got no answer that names it: the platform may hold another segment “{name}”."
ORPHANS = (
    "{number} creations, the last of {when} UTC, got no answer that names them: the platform may hold as many other"
    " segments “{name}”."
)


def mark_live(segment: Segment, segment_id: Any) -> None:
    """Record that the segment exists. An activation that was paused meanwhile stays paused."""
    with transaction.atomic():
        activation = Activation.objects.select_for_update().filter(id=segment.activation).first()
        if activation is None:
            return
        activation.segment_id, activation.last_error = segment_id, ""
        if activation.status == Activation.Status.PENDING:
            activation.status, activation.status_since = Activation.Status.LIVE, clock.now()
        activation.save(update_fields=["segment_id", "status", "status_since", "last_error"])


def note_error(activation: int, error: str) -> None:
    """Show why the segment could not be created yet."""
    Activation.objects.filter(id=activation).exclude(last_error=error).update(last_error=error)


def show_trouble(activations: Collection[int], error: str) -> None:
    """Show why live activations are not sent at present, though nobody has to act; empty: they are sent again."""
    rows = Activation.unversioned.filter(id__in=activations, status=Activation.Status.LIVE)
    rows.exclude(last_error=error).update(last_error=error)


def note_possible_orphan(segment: Segment, last: datetime | None, number: int) -> None:
    """Show that the platform may hold other segments, of a `number` of attempts that nobody knows the outcome of.

    `last`: the time of the last of them.
    """
    when = last.strftime("%Y-%m-%d %H:%M:%S") if last else ""
    text = (ORPHAN if number < 2 else ORPHANS).format(when=when, name=segment.name, number=number)
    Activation.objects.filter(id=segment.activation).exclude(possible_orphan=text).update(possible_orphan=text)


def mark_broken(platform: int, activations: list[int], failure: IntegrationError, *, creating: bool = False) -> None:
    """Record that the platform refuses the credentials or settings with which these activations were sent.

    `creating`: the request was to create a segment.
    """
    row = Platform.objects.filter(pl=platform).first()
    if row is None:
        return
    rows = Activation.objects.filter(id__in=activations, status__in=FIXABLE)
    rows.update(
        status=Activation.Status.BROKEN,
        status_since=clock.now(),
        trouble=trouble_of(failure, creating=creating),
        last_error=str(failure),
        broken_by=_fingerprint(row),
    )


def trouble_of(failure: IntegrationError, *, creating: bool = False) -> str:
    """Returns in one word why an activation is broken."""
    match failure:
        case UnauthorizedError():
            return Activation.Trouble.CREDENTIALS
        case ConnectorFaultError():
            return Activation.Trouble.CONNECTOR
        case MisconfiguredError():
            redirects = failure.status is not None and 300 <= failure.status < 400
            if redirects or not creating:
                return Activation.Trouble.REDIRECT if redirects else Activation.Trouble.SETTINGS
    return Activation.Trouble.CREATION if creating else Activation.Trouble.REFUSED


def note_failure(platform: int, activations: Set[int], ending: Set[int], failure: IntegrationError) -> None:
    """Record that these activations cannot be sent until a person acts. Of those that end, which cannot become broken,
    only the error is shown."""
    broken = activations - ending
    if broken:
        mark_broken(platform, sorted(broken), failure)
    for activation in activations & ending:
        note_error(activation, str(failure))


def revive(platform: Platform) -> None:
    """Try the activations again that were broken by other settings or credentials than the platform has now."""
    broken = Activation.objects.filter(platform=platform, status=Activation.Status.BROKEN).exclude(
        broken_by=_fingerprint(platform)
    )
    for activation in broken:
        known = activation.segment_id is not None
        activation.status = Activation.Status.LIVE if known else Activation.Status.PENDING
        activation.last_error = activation.broken_by = activation.trouble = ""
        activation.status_since = clock.now()
        activation.save(update_fields=["status", "status_since", "last_error", "broken_by", "trouble"])


def end(connection: Connection, segment: Segment, unfinished: UnfinishedErasures, *, removals_sent: bool) -> bool:
    """Delete an ending activation where nothing is left to remove at the platform. Returns whether it was deleted.

    `removals_sent`: the platform is sent removals. Each bucket has withdrawn its ids first, also those that absorb
    added when it did not know yet that the activation ends. Waits for the buckets, one after another.

    Deliveries of erased users stay until the erasures have noted what came of them: only they name the ids that an
    erasure has still to forget.
    """
    with connection.cursor() as cursor:
        if bulk_changes.is_being_withdrawn(cursor, segment.activation):
            return False
        if removals_sent and segment.id is not None and deliveries.is_left(cursor, segment.activation):
            return False
        for bucket in range(BUCKETS):
            with connection.transaction():
                lock(cursor, bucket)
                if deliveries.bears(cursor, bucket, segment.activation, unfinished(cursor)):
                    return False
                deliveries.delete(cursor, bucket, segment.activation)
    Activation.objects.filter(id=segment.activation, status=Activation.Status.ENDING).delete()
    return True


def _fingerprint(platform: Platform) -> str:
    """Returns a text that changes with settings and credentials, and from which they cannot be read."""
    key = settings.SECRET_KEYS[0].encode()[:64]
    known = msgspec.json.encode([platform.connector, platform.settings, platform.credentials], order="deterministic")
    return blake2b(known, key=key, digest_size=32).hexdigest()
