"""Reads a segment back: compares what the platform holds with what it confirmed, and repairs the difference."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError

from activation.delivery.targets import segment_of
from activation.models import Activation, Delivery
from activation.stores import deliveries
from core import clock
from core.buckets import BUCKETS, of_value
from core.database import bare_cursor
from integrations.connectors.base import Connector, Segment
from integrations.errors import IntegrationError
from integrations.services import connector_of, send_request

MOST_PAGES = 100_000
PAGE = 1_000
SHOWN = 20


@dataclass(frozen=True, slots=True)
class Difference:
    """`missing`: confirmed, and not there; `unexpected`: there, and nobody knows why. What is due is neither."""

    held: int
    missing: list[str]
    unexpected: list[str]

    def shown(self) -> dict[str, Any]:
        return {
            "held": self.held,
            "missing": len(self.missing),
            "unexpected": len(self.unexpected),
            "examples": {"missing": self.missing[:SHOWN], "unexpected": self.unexpected[:SHOWN]},
        }


def compare(activation: Activation) -> Difference:
    """Ask the platform what it holds. Not to be called inside a transaction.

    Raises Django's `ValidationError` where it cannot be read back.
    """
    connector, segment = connector_of(activation.platform), segment_of(activation)
    if segment.id is None or connector.members_request(segment, None) is None:
        raise ValidationError("this platform cannot be read back" if segment.id else "the segment does not exist yet")
    try:
        held = set(_held(connector, segment))
    except IntegrationError as failure:
        raise ValidationError(f"the platform was asked in vain: {failure}") from None
    missing, size = [], len(held)
    rows = Delivery.objects.filter(bucket__in=range(BUCKETS), activation_id=activation.id)
    for known_as, acknowledged, due_at in rows.values_list("platform_user_id", "acknowledged", "due_at").iterator():
        there = known_as in held
        if due_at is None and acknowledged and not there:
            missing.append(known_as)
        if there and (due_at is not None or acknowledged is not False):
            held.discard(known_as)
    return Difference(size, sorted(missing), sorted(held))


def repair(activation: Activation, found: Difference) -> None:
    """Have the missing sent again, and the unexpected removed where the platform is sent removals."""
    removals_sent = connector_of(activation.platform).removal.is_sent
    with bare_cursor() as cursor:
        for page in _pages(found.missing):
            deliveries.add_missing(cursor, activation.id, page, clock.now())
        for page in _pages(found.unexpected) if removals_sent else ():
            deliveries.remove_unexpected(cursor, activation.id, activation.platform_id, page, clock.now())


def _held(connector: Connector, segment: Segment) -> Iterator[str]:
    cursor: str | None = None
    for _ in range(MOST_PAGES):
        request = connector.members_request(segment, cursor)
        if request is None:
            return
        ids, following = connector.read_members(send_request(connector, request))
        yield from ids
        if following is None or following == cursor:
            return
        cursor = following


def _pages(ids: list[str]) -> Iterator[list[tuple[int, str]]]:
    keys = sorted((of_value(one), one) for one in ids)
    for start in range(0, len(keys), PAGE):
        yield keys[start : start + PAGE]
