"""Shows the exact next requests (or the next file) of an activation, without sending them."""

from collections.abc import Iterable
from itertools import groupby, islice
from operator import attrgetter
from typing import Any

import msgspec
from django.core.exceptions import ValidationError

from activation.delivery.members import MemberReader
from activation.delivery.targets import segment_of
from activation.models import Activation, Delivery
from activation.stores.claims import ClaimedRow
from core import clock
from core.buckets import BUCKETS
from core.database import bare_cursor
from integrations.connectors.base import Connector, Member, Operation, Segment, SegmentSource
from integrations.connectors.files import FileConnector, MemberChange
from integrations.errors import IntegrationError
from integrations.http import Request
from integrations.services import connector_of

MASK = "•••"
# ids of a sampled file, and its lines at most
SAMPLED = 1_000

_by_id = attrgetter("platform_user_id")


def preview(activation: Activation) -> list[dict[str, Any]]:
    """Returns the requests (or the file) that the next batch would send, secrets masked. Sends nothing.

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
        return _files(connector, _members(activation, connector, segment, Operation.ADD, SAMPLED))
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
    found = [ClaimedRow(row.bucket, activation.id, row.platform_user_id, row.user_id, row.attempts) for row in due]
    with bare_cursor() as cursor:
        return MemberReader(cursor, connector, activation.platform_id, {activation.id: segment}).read(found)


def _files(connector: FileConnector, members: Iterable[Member]) -> list[dict[str, Any]]:
    """Returns one sample a partition: the file's name, and its text (header, then lines) before it is packed."""
    at = clock.now()
    partitions: dict[str, list[Member]] = {}
    for member in members:
        partitions.setdefault(connector.partition(member), []).append(member)
    samples = []
    for partition, found in sorted(partitions.items()):
        name = connector.file_name(partition, at, 0)
        lines = islice((line for changes in _changes(connector, found) for line in connector.lines(changes)), SAMPLED)
        text = connector.header(partition, name, at) + b"".join(lines)
        samples.append({"file": name, "text": text.decode("utf-8", "replace")})
    return samples


def _changes(connector: FileConnector, members: list[Member]) -> Iterable[list[MemberChange]]:
    if not connector.by_user:
        return ([MemberChange(member, Operation.ADD)] for member in members)
    users = groupby(sorted(members, key=_by_id), key=_by_id)
    return ([MemberChange(member, Operation.ADD) for member in theirs] for _, theirs in users)


def shown(request: Request) -> dict[str, Any]:
    """Returns a request as it may be seen: its secrets are masked."""
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
