"""Reading a segment back: what the platform holds, against what it confirmed to hold; and repairing the difference."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import connection

from activation.delivery.targets import segment_of
from activation.models import Activation, Delivery
from core import clock
from core.buckets import BUCKETS, of_value
from integrations.connectors.base import Connector, Segment
from integrations.errors import IntegrationError
from integrations.services import connector_of, send_request

MOST_PAGES = 100_000
PAGE = 1_000
SHOWN = 20
NOBODY = UUID(int=0)

MISSING = """
UPDATE delivery d SET acknowledged = false, due_at = CASE WHEN d.wanted THEN %(now)s::timestamptz END
FROM unnest(%(buckets)s::smallint[], %(ids)s::text[]) AS k (bucket, platform_user_id)
WHERE d.bucket = k.bucket AND d.activation_id = %(activation)s AND d.platform_user_id = k.platform_user_id
  AND d.claim IS NULL AND d.due_at IS NULL AND d.acknowledged
"""
# of a stranger nobody is the owner: any real want is later
UNEXPECTED = """
INSERT INTO delivery AS kept (bucket, activation_id, platform_user_id, platform_id, user_id, epoch, version, wanted,
                              acknowledged, due_at, changed_at)
SELECT k.bucket, %(activation)s, k.platform_user_id, %(platform)s, %(nobody)s, 0, 0, false, true, %(now)s, %(now)s
FROM unnest(%(buckets)s::smallint[], %(ids)s::text[]) AS k (bucket, platform_user_id)
ON CONFLICT (bucket, activation_id, platform_user_id) DO UPDATE SET acknowledged = true,
    due_at = CASE WHEN NOT kept.wanted THEN excluded.due_at END
WHERE kept.claim IS NULL AND kept.due_at IS NULL
"""


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
    """Ask the platform. Not to be called inside a transaction.

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
    """Have the missing sent again, and the unexpected removed where the platform can be told."""
    told = connector_of(activation.platform).removal.is_sent
    with connection.cursor() as cursor:
        for statement, ids in ((MISSING, found.missing), (UNEXPECTED, found.unexpected if told else [])):
            for page in _pages(ids):
                values: dict[str, Any] = {"buckets": [bucket for bucket, _ in page], "ids": [one for _, one in page]}
                values |= {"activation": activation.id, "platform": activation.platform_id}
                cursor.execute(statement, {**values, "nobody": NOBODY, "now": clock.now()})


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
