"""What profiles had no room for (`profiles.caps`): counted for each profile and each customer, in their buckets.

The values themselves are kept as bad rows. Whoever writes holds the locks of the buckets.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from django.db.models import Max, Sum
from psycopg import Cursor

from core import buckets
from core.arrays import BigInts, Ints, SmallInts, Texts, Uuids, columns
from core.json_values import text_size
from profiles.models import CustomerExcess, ProfileExcess

MOST_NAMES = 10
LONGEST_NAME = 80

SAVE_OF_PROFILES = """
INSERT INTO profile_excess AS kept (bucket, customer_id, user_id, events, attributes, bytes, names, first_at, last_at)
SELECT bucket, customer_id, user_id, events, attributes, bytes, names::jsonb, %s, %s
FROM unnest(%s::smallint[], %s::int[], %s::uuid[], %s::int[], %s::bigint[], %s::bigint[], %s::text[])
     AS k (bucket, customer_id, user_id, events, attributes, bytes, names)
ON CONFLICT (bucket, customer_id, user_id) DO UPDATE SET
    events = kept.events + excluded.events, attributes = kept.attributes + excluded.attributes,
    bytes = kept.bytes + excluded.bytes, names = excluded.names, last_at = excluded.last_at
"""
SAVE_OF_CUSTOMERS = """
INSERT INTO customer_excess AS kept (bucket, customer_id, events, attributes, bytes, last_at)
SELECT bucket, customer_id, events, attributes, bytes, %s
FROM unnest(%s::smallint[], %s::int[], %s::bigint[], %s::bigint[], %s::bigint[])
     AS k (bucket, customer_id, events, attributes, bytes)
ON CONFLICT (bucket, customer_id) DO UPDATE SET
    events = kept.events + excluded.events, attributes = kept.attributes + excluded.attributes,
    bytes = kept.bytes + excluded.bytes, last_at = excluded.last_at
"""
ERASE = """
DELETE FROM profile_excess e USING unnest(%s::smallint[], %s::int[], %s::uuid[]) AS k (bucket, customer_id, user_id)
WHERE e.bucket = k.bucket AND e.customer_id = k.customer_id AND e.user_id = k.user_id
"""

KEY = (SmallInts, Ints, Uuids)
ProfileRow = tuple[int, int, UUID]
"""Bucket, customer and user id."""


@dataclass(slots=True)
class ExcessCount:
    """How much had no room; `names` of the last event's attributes, a few and shortened."""

    events: int = 0
    attributes: int = 0
    bytes: int = 0
    names: list[str] = field(default_factory=list)

    def add(self, excess: Mapping[str, Any]) -> None:
        """Count one event's attributes."""
        self.events += 1
        self.attributes += len(excess)
        self.bytes += text_size(excess)
        self.names = names_of(excess)


def names_of(excess: Mapping[str, Any]) -> list[str]:
    """Returns the first few names, short enough to show."""
    return [name if len(name) <= LONGEST_NAME else name[:LONGEST_NAME] + "…" for name in list(excess)[:MOST_NAMES]]


def save(cursor: Cursor[Any], counts: Mapping[ProfileRow, ExcessCount], now: datetime) -> None:
    """Add the counts to those of the profiles, and of their customers."""
    if not counts:
        return
    ordered = sorted(counts.items(), key=lambda item: (*item[0][:2], item[0][2].int))
    rows = [
        (*key, one.events, one.attributes, one.bytes, msgspec.json.encode(one.names).decode()) for key, one in ordered
    ]
    cursor.execute(SAVE_OF_PROFILES, [now, now, *columns((*KEY, Ints, BigInts, BigInts, Texts), rows)])
    of_customers: dict[tuple[int, int], list[int]] = {}
    for (bucket, customer, _), one in ordered:
        total = of_customers.setdefault((bucket, customer), [0, 0, 0])
        total[:] = total[0] + one.events, total[1] + one.attributes, total[2] + one.bytes
    sums = [(*key, *total) for key, total in of_customers.items()]
    cursor.execute(SAVE_OF_CUSTOMERS, [now, *columns((SmallInts, Ints, BigInts, BigInts, BigInts), sums)])


def erase(cursor: Cursor[Any], profiles: Sequence[ProfileRow]) -> None:
    """Delete the counts of these profiles, which are given in the order of their keys."""
    cursor.execute(ERASE, columns(KEY, profiles))


@dataclass(frozen=True, slots=True)
class Excess:
    """What had no room, since `first_at` (None: of a customer, ever)."""

    events: int
    attributes: int
    bytes: int
    names: list[str]
    first_at: datetime | None
    last_at: datetime


def of_users(customer: int, users: Iterable[UUID]) -> Excess | None:
    """Returns what the profiles of these users had no room for; None if everything had."""
    wanted = set(users)
    rows = ProfileExcess.objects.filter(
        bucket__in={buckets.of_user(user) for user in wanted}, customer_id=customer, user_id__in=wanted
    )
    found = list(rows.order_by("last_at"))
    if not found:
        return None
    return Excess(
        events=sum(row.events for row in found),
        attributes=sum(row.attributes for row in found),
        bytes=sum(row.bytes for row in found),
        names=found[-1].names,
        first_at=min(row.first_at for row in found),
        last_at=found[-1].last_at,
    )


def of_customer(customer: int) -> Excess | None:
    """Returns what the customer's profiles had no room for; None if everything had."""
    total = CustomerExcess.objects.filter(customer_id=customer).aggregate(
        events=Sum("events"), attributes=Sum("attributes"), bytes=Sum("bytes"), last_at=Max("last_at")
    )
    if not total["events"]:
        return None
    events, attributes, size = (int(total[name]) for name in ("events", "attributes", "bytes"))
    return Excess(events, attributes, size, names=[], first_at=None, last_at=total["last_at"])
