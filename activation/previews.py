"""Looking before sending: the exact next requests."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import psycopg
from django.core.exceptions import ValidationError
from django.db import connection

from activation.delivery import samples
from activation.delivery.claims import Row
from activation.delivery.members import members_of
from activation.delivery.targets import segment_of
from activation.models import Activation, Delivery
from core import arrays, clock
from core.buckets import BUCKETS
from integrations.connectors.base import Connector, Member, Operation, Segment, SegmentSource
from integrations.connectors.files import FileConnector
from integrations.errors import IntegrationError
from integrations.http import Request
from integrations.services import connector_of

MASK = "•••"
SAMPLED = 1_000


def preview(activation: Activation) -> list[dict[str, Any]]:
    """The requests (or the file) that the next batch would send, secrets masked; sends nothing.

    Raises Django's `ValidationError` where there can be none.
    """
    try:
        return _preview(activation)
    except IntegrationError as wrong:
        raise ValidationError(str(wrong)) from None


def _preview(activation: Activation) -> list[dict[str, Any]]:
    connector = connector_of(activation.platform)
    segment = segment_of(activation)
    if segment.id is None and connector.segment_source is SegmentSource.CREATED:
        return [shown(connector.creation_request(segment, clock.now_seconds()))]
    if isinstance(connector, FileConnector):
        return samples.files(connector, _members(activation, connector, segment, Operation.ADD, SAMPLED))
    requests = []
    for operation in Operation:
        if operation is Operation.REMOVE and not connector.removal.is_sent:
            continue
        members = _members(activation, connector, segment, operation, connector.batch_size)
        if members:
            requests.append(shown(connector.push(operation, members, clock.now_seconds())))
    return requests


def _members(
    activation: Activation, connector: Connector, segment: Segment, operation: Operation, most: int
) -> list[Member]:
    rows = Delivery.objects.filter(
        bucket__in=range(BUCKETS), activation_id=activation.id, wanted=operation is Operation.ADD
    )
    due = rows.filter(due_at__isnull=False).order_by("bucket", "due_at")[:most]
    found = [Row(row.bucket, activation.id, row.platform_user_id, row.user_id, row.attempts) for row in due]
    with bare_cursor() as cursor:
        return members_of(cursor, connector, activation.platform_id, {activation.id: segment}, found)


@contextmanager
def bare_cursor() -> Iterator[psycopg.Cursor[Any]]:
    """One of psycopg's own: Django's binds on the client and cannot take binary arrays."""
    connection.ensure_connection()
    arrays.register(connection.connection)
    with psycopg.Cursor(connection.connection) as cursor:
        yield cursor


def shown(request: Request) -> dict[str, Any]:
    """A request as it may be seen."""
    masked = {**request.headers, **dict.fromkeys(request.secret_headers, MASK)}
    if request.basic is not None:
        masked["Authorization"] = MASK
    parts = {"method": request.method, "url": request.url, "headers": masked, "body": _body(request.body)}
    if request.secret_query:
        parts["parameters"] = dict.fromkeys(request.secret_query, MASK)
    return parts


def _body(body: bytes | None) -> Any:
    if body is None:
        return None
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        return body.decode("utf-8", "replace")
