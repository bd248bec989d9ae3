"""Creates segments at their platform, by itself, as soon as an activation is made; and lets ending activations go.

A creation that was cut off may have been applied: the segment is looked up by its name where the platform can be
asked, and else created again, with a note that the platform may hold another. That a segment exists is written down in
one transaction, in the log and in the activation, so a creation is either known or was cut off. A platform that takes
creations and names no segment is not asked again by itself: the activation is broken, and a person has to act.
"""

import logging
from functools import partial
from typing import Any
from uuid import uuid4

from django.db import transaction
from psycopg import Cursor

from activation.delivery import activation_status, lanes, targets
from activation.delivery.activation_status import UnfinishedErasures
from activation.delivery.platform_client import NotNowError, PlatformClient
from activation.delivery.retry import longest_wait
from activation.models import Activation, Batch
from activation.stores import batches
from activation.stores.batches import BatchRecord, FailedCreations, excerpt
from core import clock
from core.database import Connection, bare_cursor
from core.steps import Steps
from integrations.answers.meaning import says_it_exists
from integrations.connectors.base import Connector, Segment, SegmentSource
from integrations.errors import (
    IntegrationError,
    MisconfiguredError,
    UnansweredError,
    UnauthorizedError,
    UnclearAnswerError,
)
from integrations.http import Request, Response

# Segment ids of the hub's own, for platforms that take ours: 32-bit numbers, never given out twice.
MOST_NUMBER = 2**31 - 1
# nobody knows whether the platform made the segment
UNCERTAIN = (UnansweredError, UnclearAnswerError)
IN_USE = "the segment {id} of this name is filled by activation {other} already: give this activation a name of its own"
UNNAMED = "the platform has a segment of this name, and cannot be asked for its id"
CONFLICT = 409
# so many creations without an answer, where the segment cannot be looked up, break the activation
MOST_CUT_OFFS = 3
ALLOCATE = """
INSERT INTO segment_number AS kept (namespace, last) VALUES (%s, 1)
ON CONFLICT (namespace) DO UPDATE SET last = kept.last + 1 WHERE kept.last < %s
RETURNING last
"""

steps = Steps(logging.getLogger(__name__))


def create_pending(connection: Connection, platform: int, unfinished: UnfinishedErasures) -> int:
    """Create the platform's pending segments that are due, and delete activations that have ended. Returns how many."""
    with connection.cursor() as cursor:
        target = targets.usable(cursor, platform)
        if target is None or not (target.pending or target.ending):
            return 0
        lease = lanes.lease(cursor, platform, lanes.CREATION, target.lease_duration)
        if lease is None:
            return 0
        end = partial(activation_status.end, connection, removals_sent=target.connector.removal.is_sent)
        creator = _Creator(cursor, PlatformClient.of(connection, cursor, target, lease))
        works = [(one, partial(end, one, unfinished)) for one in target.ending]
        works += [(one, partial(creator.create_due, one)) for one in target.pending]
        done = sum(bool(steps.run(f"segment of activation {one.activation}", work)) for one, work in works)
        lease.release(cursor)
        return done


def allocate_number(cursor: Cursor[Any], namespace: str) -> int:
    """Returns the namespace's next number. Raises `MisconfiguredError` where all are used up."""
    cursor.execute(ALLOCATE, [namespace, MOST_NUMBER])
    row = cursor.fetchone()
    if row is None:
        raise MisconfiguredError(f"the namespace “{namespace}” has no numbers left")
    return int(row[0])


class _Creator:
    """The holder of a platform's creation lane."""

    def __init__(self, cursor: Cursor[Any], client: PlatformClient) -> None:
        self._cursor, self._client = cursor, client

    @property
    def _connector(self) -> Connector:
        return self._client.target.connector

    def create_due(self, segment: Segment) -> bool:
        """Create the segment where it is time to. Returns whether it exists now."""
        connector = self._connector
        if connector.segment_source is SegmentSource.GIVEN:
            activation_status.mark_live(segment, connector.given_segment(segment.settings))
            return True
        if connector.segment_source is SegmentSource.ALLOCATED:
            given = connector.given_segment(segment.settings)
            activation_status.mark_live(segment, self._free_number() if given is None else given)
            return True
        past = batches.failed_creations(self._cursor, self._client.target.platform, segment.activation)
        return _is_time(past) and self._client.may_send() and self._create(segment, past)

    def _free_number(self) -> int:
        """Returns a number that means nothing else to the platform, and that nobody chose by hand."""
        connector = self._connector
        while True:
            number = allocate_number(self._cursor, connector.segment_namespace)
            taken = Activation.objects.filter(platform__connector=connector.key, settings__segment_id=number)
            if number not in connector.reserved_numbers and not taken.exists():
                return number

    def _create(self, segment: Segment, past: FailedCreations) -> bool:
        """Look the segment up where it may exist, else create it."""
        connector = self._connector
        try:
            lookup = connector.lookup_request(segment) if past.cut_off else None
            if lookup is not None:
                known = connector.read_lookup(segment, self._logged(segment, "lookup", lookup))
                if known is not None:
                    return self._take(segment, known)
            elif past.cut_off:
                activation_status.note_possible_orphan(segment, past.last, past.cut_offs)
            request = connector.creation_request(segment, clock.now_seconds())
            return self._request_segment(segment, request, past)
        except NotNowError:
            return False
        except IntegrationError as failure:
            return self._not_created(segment, failure, past)

    def _take(self, segment: Segment, known: Any) -> bool:
        """Fill a segment that exists. Raises `MisconfiguredError` where another activation of the platform fills it."""
        self._check_free(segment, known)
        activation_status.mark_live(segment, known)
        return True

    def _check_free(self, segment: Segment, known: Any) -> None:
        """One segment for two activations: the end of one would empty it for both."""
        others = Activation.objects.filter(platform_id=self._client.target.platform, segment_id=known)
        other = others.exclude(id=segment.activation).values_list("id", flat=True).first()
        if other is not None:
            raise MisconfiguredError(IN_USE.format(id=known, other=other))

    def _not_created(self, segment: Segment, failure: IntegrationError, past: FailedCreations) -> bool:
        """Take the segment where the platform says that it exists, and can be asked. Returns whether it is there."""
        exists = says_it_exists(failure.status, failure.excerpt or str(failure))
        try:
            lookup = self._connector.lookup_request(segment) if exists or failure.status == CONFLICT else None
            if lookup is not None:
                known = self._connector.read_lookup(segment, self._logged(segment, "lookup", lookup))
                if known is not None:
                    return self._take(segment, known)
            elif exists:
                raise MisconfiguredError(f"{UNNAMED}: {failure}")
        except NotNowError:
            return False
        except IntegrationError as unknown:
            failure = unknown
        self._failed(segment, failure, past)
        return False

    def _request_segment(self, segment: Segment, request: Request, past: FailedCreations) -> bool:
        """Send the creation, and write down what came of it. Returns whether the segment exists now.

        The entry in the log and the activation change together: who dies before leaves a creation that was cut off.
        """
        record, response = self._sent(segment, "create", request)
        try:
            segment_id = self._connector.segment_id(segment, response)
            self._check_free(segment, segment_id)
        except IntegrationError as unnamed:
            return self._without_id(segment, record, unnamed, past)
        with transaction.atomic(), bare_cursor() as cursor:
            batches.finish(cursor, record, clock.now())
            activation_status.mark_live(segment, segment_id)
        return True

    def _without_id(
        self, segment: Segment, record: BatchRecord, unnamed: IntegrationError, past: FailedCreations
    ) -> bool:
        """The platform took the creation and named no segment: look for it by its name, where that can be asked.

        Else the activation is broken: another creation would make another segment, again and again.
        """
        record.error = str(unnamed)
        lookup = self._connector.lookup_request(segment)
        known = None
        if lookup is not None:
            batches.finish(self._cursor, record, clock.now(), Batch.Status.UNKNOWN)
            known = self._connector.read_lookup(segment, self._logged(segment, "lookup", lookup))
        with transaction.atomic(), bare_cursor() as cursor:
            batches.finish(cursor, record, clock.now(), Batch.Status.UNKNOWN)
            if known is not None:
                return self._take(segment, known)
            activation_status.note_possible_orphan(segment, clock.now(), past.cut_offs + 1)
            activation_status.mark_broken(self._client.target.platform, [segment.activation], unnamed, creating=True)
        return False

    def _logged(self, segment: Segment, operation: str, request: Request) -> Response:
        """Send the request, with a row in the log that is there before, and complete the row."""
        record, response = self._sent(segment, operation, request)
        batches.finish(self._cursor, record, clock.now())
        return response

    def _sent(self, segment: Segment, operation: str, request: Request) -> tuple[BatchRecord, Response]:
        """Send the request, with a row in the log that is there before; the caller completes it after a success."""
        size, platform = len(request.body or b""), self._client.target.platform
        record = BatchRecord(batches.OWN_BUCKET, uuid4(), 0, requests=1, bytes=size, request_excerpt=excerpt(request))
        batches.start(self._cursor, record, platform, [segment.activation], operation, clock.now())
        try:
            response = self._client.send(request)
        except NotNowError:
            batches.finish(self._cursor, record, clock.now(), Batch.Status.DONE)
            raise
        except IntegrationError as failure:
            record.error, record.status, record.response_excerpt = str(failure), failure.status, failure.excerpt
            status = Batch.Status.UNKNOWN if isinstance(failure, UNCERTAIN) else Batch.Status.FAILED
            batches.finish(self._cursor, record, clock.now(), status)
            raise
        record.status, record.response_excerpt = response.status, response.excerpt
        return record, response

    def _failed(self, segment: Segment, failure: IntegrationError, past: FailedCreations) -> None:
        """Show the error. A person has to act where trying again would not help, or make segment after segment."""
        platform = self._client.target.platform
        cut_offs = past.cut_offs + isinstance(failure, UNCERTAIN)
        endless = isinstance(failure, UNCERTAIN) and cut_offs >= MOST_CUT_OFFS
        if endless and self._connector.lookup_request(segment) is None:
            activation_status.note_possible_orphan(segment, clock.now(), cut_offs)
            activation_status.mark_broken(platform, [segment.activation], failure, creating=True)
        elif isinstance(failure, UnauthorizedError | MisconfiguredError):
            activation_status.mark_broken(platform, [segment.activation], failure, creating=True)
        else:
            activation_status.note_error(segment.activation, str(failure))


def _is_time(past: FailedCreations) -> bool:
    """After each failure twice as long as after the one before; the log remembers them."""
    return past.last is None or clock.now() >= past.last + longest_wait(past.number)
