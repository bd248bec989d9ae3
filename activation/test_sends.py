"""Sends one id at once, to see what the platform says."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.core.exceptions import ValidationError
from django.db import connection

from activation.delivery import lanes, targets
from activation.delivery.members import MemberReader
from activation.delivery.platform_client import NotNowError, PlatformClient
from activation.delivery.targets import DeliveryTarget
from activation.models import Activation, Delivery
from activation.previews import shown
from activation.stores import deliveries
from activation.stores.claims import ClaimedRow
from activation.stores.dead_letters import Key
from activation.stores.deliveries import NOBODY
from core import clock
from core.buckets import of_value
from core.database import bare_cursor
from integrations.connectors.base import Member, Operation, Strategy
from integrations.errors import IntegrationError


def test(activation: Activation, platform_user_id: str) -> list[dict[str, Any]]:
    """Send one id. Returns each request with what the platform said. Not to be called inside a transaction.

    An id that the activation knows is sent as it is wanted today; a stranger is added, and removed again where the
    platform is sent removals. Raises Django's `ValidationError` where it cannot be sent now.
    """
    with bare_cursor() as cursor:
        found = _usable(cursor, activation)
        row = Delivery.objects.filter(
            bucket=of_value(platform_user_id), activation_id=activation.id, platform_user_id=platform_user_id
        ).first()
        operations = list(Operation) if row is None else [Operation.ADD if row.wanted else Operation.REMOVE]
        sent = [one for one in operations if one is Operation.ADD or found.connector.removal.is_sent]
        user = NOBODY if row is None else row.user_id
        claimed = [ClaimedRow(of_value(platform_user_id), activation.id, platform_user_id, user, 0)]
        members = MemberReader(cursor, found.connector, found.platform, found.segments).read(claimed)
        with _lane(cursor, found, of_value(platform_user_id)) as client:
            key = (of_value(platform_user_id), activation.id, platform_user_id)
            return _recorded(client, cursor, key, [(one, members) for one in sent], known=row is not None)


def _usable(cursor: psycopg.Cursor[Any], activation: Activation) -> DeliveryTarget:
    found = targets.load(cursor, activation.platform_id)
    if found is None:
        raise ValidationError("the platform is disabled")
    if found.connector.strategy is Strategy.FILE:
        raise ValidationError("this platform takes files: look at the preview")
    if activation.id not in found.segments:
        raise ValidationError(f"the activation is {activation.status}: it must be live")
    return found


@contextmanager
def _lane(cursor: psycopg.Cursor[Any], found: DeliveryTarget, bucket: int) -> Iterator[PlatformClient]:
    """Hold the id's lane: nothing else of the id is under way meanwhile."""
    lease = lanes.lease(cursor, found.platform, lanes.lane_of(bucket), found.lease_duration)
    if lease is None:
        raise ValidationError("members are being sent at this moment: try again")
    client = PlatformClient.of(connection.connection, cursor, found, lease)
    try:
        yield client
    finally:
        client.leave()


def _recorded(
    client: PlatformClient,
    cursor: psycopg.Cursor[Any],
    key: Key,
    requests: list[tuple[Operation, list[Member]]],
    *,
    known: bool,
) -> list[dict[str, Any]]:
    """Send the requests. Whatever the platform says or does not say, it does not keep an id that nobody wants there.

    So it is written down before that the platform may hold the id: a known one is sent again with the next requests, a
    stranger is removed with them unless the platform confirms the removal here.
    """
    bucket, activation, platform_user_id = key
    removed = not known and client.target.connector.removal.is_sent
    if known:
        deliveries.mark_unknown(cursor, key, clock.now())
    elif removed:
        stranger = [(bucket, platform_user_id)]
        deliveries.remove_unexpected(cursor, activation, client.target.platform, stranger, clock.now())
    answers = [_sent(client, operation, members) for operation, members in requests]
    if removed and "error" not in answers[-1]:
        deliveries.forget_unexpected(cursor, key)
    return answers


def _sent(client: PlatformClient, operation: Operation, members: list[Member]) -> dict[str, Any]:
    if not client.may_send():
        return {"operation": operation, "error": f"the platform is not called now: {client.state.reason}"}
    result: dict[str, Any] = {"operation": operation}
    try:
        request = client.target.connector.push(operation, members, clock.now_seconds())
        result["request"] = shown(request)
        response = client.send(request)
        result |= {"status": response.status, "response": response.excerpt}
        refused = client.target.connector.outcomes(operation, members, response)[0]
        return result if refused is None else result | {"error": str(refused)}
    except NotNowError:
        return result | {"error": "the platform's limits leave no room at this moment: try again"}
    except IntegrationError as failure:
        return result | {"error": str(failure), "status": failure.status, "response": failure.excerpt}
