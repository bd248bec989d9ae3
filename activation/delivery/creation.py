"""Creating segments at their platform, by itself, as soon as an activation is made.

A creation that was cut off may have been applied: the segment is looked up by its name where the platform can be
asked, and else created again, with a note that the platform may hold another.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
from django.core.exceptions import ValidationError
from django.db import transaction
from psycopg import Cursor

from activation.delivery import broken, deactivation, lanes, log, segment_ids
from activation.delivery.batch_sender import excerpt
from activation.delivery.log import Entry
from activation.delivery.platform_client import Gate, NotNowError
from activation.delivery.retry import FIRST, LONGEST
from activation.delivery.targets import Target, target
from activation.models import Activation, Batch
from core import clock
from integrations.connectors.base import Connector, Segment, SegmentSource
from integrations.errors import IntegrationError, MisconfiguredError, UnansweredError, UnauthorizedError
from integrations.http import Request, Response

Connection = psycopg.Connection[tuple[Any, ...]]

# requests of the creation lane are logged in a bucket of their own choice
BUCKET = 0

FAILURES = """
SELECT count(*), max(started_at), bool_or(status IN ('unknown', 'sending')) FROM batch
WHERE bucket = %s AND platform_id = %s AND operation = 'create' AND activations = %s::jsonb AND status <> 'done'
"""
ORPHAN = "The creation of {when} UTC got no answer: the platform may hold another segment “{name}”."


@dataclass(frozen=True, slots=True)
class _Past:
    """Attempts that failed; `cut_off`: of one of them nobody knows what came of it."""

    failures: int
    last: datetime | None
    cut_off: bool

    def is_over(self, now: datetime) -> bool:
        """After each failure twice as long as after the one before; the log remembers them."""
        wait = min(FIRST * 2.0 ** min(self.failures - 1, 20), LONGEST)
        return self.last is None or now >= self.last + timedelta(seconds=wait)


def create_pending(connection: Connection, platform: int) -> int:
    """Create the platform's pending segments that are due, and let those go that are ending; answers how many."""
    with connection.cursor() as cursor:
        found = _target(cursor, platform)
        if found is None or not (found.pending or found.ending):
            return 0
        lease = lanes.lease(cursor, platform, lanes.CREATION, clock.now(), found.lease_duration)
        if lease is None:
            return 0
        ended = sum(deactivation.end(connection, found, segment) for segment in found.ending)
        gate = Gate(connection, cursor, found, lease)
        created = sum(_create_due(gate, segment) for segment in found.pending)
        lease.release(cursor)
        return created + ended


def _target(cursor: Cursor[Any], platform: int) -> Target | None:
    try:
        return target(cursor, platform)
    except ValidationError:
        return None


def _create_due(gate: Gate, segment: Segment) -> bool:
    connector = gate.target.connector
    if connector.segment_source is SegmentSource.GIVEN:
        _live(segment, connector.given_segment(segment.settings))
        return True
    if connector.segment_source is SegmentSource.ALLOCATED:
        given = connector.given_segment(segment.settings)
        _live(segment, _number(gate, connector) if given is None else given)
        return True
    now = clock.now()
    past = _past(gate, segment)
    return past.is_over(now) and gate.opens(now) and _create(gate, segment, past)


def _number(gate: Gate, connector: Connector) -> int:
    """One that means nothing else to the platform, and that nobody chose by hand."""
    while True:
        number = segment_ids.allocate(gate.cursor, connector.segment_namespace)
        taken = Activation.objects.filter(platform__connector=connector.key, settings__segment_id=number)
        if number not in connector.reserved_numbers and not taken.exists():
            return number


def _past(gate: Gate, segment: Segment) -> _Past:
    gate.cursor.execute(FAILURES, [BUCKET, gate.target.platform, str([segment.activation])])
    failures, last, cut_off = gate.cursor.fetchone() or (0, None, None)
    return _Past(failures, last, bool(cut_off))


def _create(gate: Gate, segment: Segment, past: _Past) -> bool:
    """Look it up where it may exist, else create it."""
    connector = gate.target.connector
    try:
        asked = connector.lookup_request(segment) if past.cut_off else None
        if asked is not None:
            known = connector.read_lookup(segment, _logged(gate, segment, "lookup", asked))
            if known is not None:
                _live(segment, known)
                return True
        elif past.cut_off:
            _note_orphan(segment, past)
        request = connector.creation_request(segment, clock.now_seconds())
        segment_id = connector.segment_id(segment, _logged(gate, segment, "create", request))
    except NotNowError:
        return False
    except IntegrationError as failure:
        _failed(gate, segment, failure)
        return False
    _live(segment, segment_id)
    return True


def _logged(gate: Gate, segment: Segment, operation: str, request: Request) -> Response:
    """Send it, with a line in the log that is there before."""
    now = clock.now()
    entry = Entry(BUCKET, uuid4(), 0, requests=1, bytes=len(request.body or b""), request_excerpt=excerpt(request))
    log.start(gate.cursor, entry, gate.target.platform, [segment.activation], operation, now)
    try:
        response = gate.send(request)
        if operation == "create":
            gate.target.connector.segment_id(segment, response)
    except NotNowError:
        log.finish(gate.cursor, entry, clock.now(), Batch.Status.DONE)
        raise
    except IntegrationError as failure:
        entry.error, entry.status, entry.response_excerpt = str(failure), failure.status, failure.excerpt
        status = Batch.Status.UNKNOWN if isinstance(failure, UnansweredError) else Batch.Status.FAILED
        log.finish(gate.cursor, entry, clock.now(), status)
        raise
    entry.status, entry.response_excerpt = response.status, response.excerpt
    log.finish(gate.cursor, entry, clock.now())
    return response


def _note_orphan(segment: Segment, past: _Past) -> None:
    when = past.last.strftime("%Y-%m-%d %H:%M:%S") if past.last else ""
    text = ORPHAN.format(when=when, name=segment.name)
    Activation.objects.filter(id=segment.activation).exclude(possible_orphan=text).update(possible_orphan=text)


def _failed(gate: Gate, segment: Segment, failure: IntegrationError) -> None:
    if isinstance(failure, UnauthorizedError | MisconfiguredError):
        broken.broke(gate.target.platform, [segment.activation], str(failure))
    else:
        error = str(failure)
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
