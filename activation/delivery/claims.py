"""Claiming due rows before a request, and finishing them after it. Each is one short transaction.

A claim writes down, before the network is touched, that the platform's state is unknown from now on
(`acknowledged` is null) and until when nobody else may send (`due_at` is the lease's end). A finish
touches only rows that still bear its claim.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import Cursor

from activation.delivery.retry import MOST_ATTEMPTS
from integrations.connectors.base import Operation

FIRST_DUE = """
SELECT activation_id FROM delivery
WHERE platform_id = %(platform)s AND bucket = ANY(%(buckets)s::smallint[]) AND due_at <= %(now)s
  AND activation_id = ANY(%(activations)s::int[]) AND wanted = %(wanted)s
ORDER BY bucket, due_at LIMIT 1
"""

# The row is looked at once more as it is updated, for absorb may have changed it meanwhile; in a form that no
# index answers, or a table that was analysed while nothing was due is searched from this end.
CLAIM = """
UPDATE delivery d SET claim = %(claim)s, due_at = %(until)s, attempts = d.attempts + 1, acknowledged = NULL
FROM (SELECT bucket, activation_id, platform_user_id
      FROM (SELECT bucket, activation_id, platform_user_id FROM delivery
            WHERE platform_id = %(platform)s AND bucket = ANY(%(buckets)s::smallint[]) AND due_at <= %(now)s
              AND activation_id = ANY(%(activations)s::int[]) AND wanted = %(wanted)s
            ORDER BY bucket, due_at LIMIT %(limit)s) AS front
      ORDER BY bucket, activation_id, platform_user_id) AS due
WHERE d.bucket = due.bucket AND d.activation_id = due.activation_id
  AND d.platform_user_id = due.platform_user_id AND d.wanted = %(wanted)s
  AND coalesce(d.due_at, 'infinity') <= %(now)s
RETURNING d.bucket, d.activation_id, d.platform_user_id, d.user_id, d.attempts
"""

# What the marketer wants may have changed while the request was under way: then the row is due again.
DONE = """
UPDATE delivery d SET claim = NULL, acknowledged = %(wanted)s, attempts = 0, error = '', changed_at = %(now)s,
    due_at = CASE WHEN d.wanted <> %(wanted)s THEN %(now)s::timestamptz END
FROM unnest(%(buckets)s::smallint[], %(activations)s::int[], %(ids)s::text[])
     AS k (bucket, activation_id, platform_user_id)
WHERE d.bucket = k.bucket AND d.activation_id = k.activation_id
  AND d.platform_user_id = k.platform_user_id AND d.claim = %(claim)s
"""

FAILED = """
UPDATE delivery d SET claim = NULL, error = %(error)s, changed_at = %(now)s,
    attempts = d.attempts - %(free)s,
    dead = d.attempts - %(free)s >= %(most)s,
    due_at = CASE WHEN d.attempts - %(free)s < %(most)s THEN %(retry_at)s::timestamptz END
FROM unnest(%(buckets)s::smallint[], %(activations)s::int[], %(ids)s::text[])
     AS k (bucket, activation_id, platform_user_id)
WHERE d.bucket = k.bucket AND d.activation_id = k.activation_id
  AND d.platform_user_id = k.platform_user_id AND d.claim = %(claim)s
"""


class Row(NamedTuple):
    """A claimed delivery."""

    bucket: int
    activation: int
    platform_user_id: str
    user_id: UUID
    attempts: int


@dataclass(frozen=True, slots=True)
class Claim:
    """Rows of one operation, marked with `id`."""

    id: UUID
    wanted: bool
    rows: list[Row]

    @property
    def operation(self) -> Operation:
        return Operation.ADD if self.wanted else Operation.REMOVE

    @property
    def attempts(self) -> int:
        """How often the most tried of the rows has been tried, this time included."""
        return max(row.attempts for row in self.rows)

    def keys(self) -> dict[str, Any]:
        ordered = sorted(row[:3] for row in self.rows)
        return {
            "claim": self.id,
            "buckets": [key[0] for key in ordered],
            "activations": [key[1] for key in ordered],
            "ids": [key[2] for key in ordered],
        }


@dataclass(frozen=True, slots=True)
class Front:
    """Where to look for due rows."""

    platform: int
    buckets: list[int]
    activations: list[int]
    wanted: bool
    limit: int
    one_activation: bool


def claim(cursor: Cursor[Any], front: Front, claim_id: UUID, now: datetime, until: datetime) -> Claim | None:
    """Claim up to `limit` due rows until the lease ends; None where none is due."""
    values = {
        "platform": front.platform,
        "buckets": front.buckets,
        "activations": front.activations,
        "wanted": front.wanted,
        "limit": front.limit,
        "claim": claim_id,
        "now": now,
        "until": until,
    }
    if front.one_activation:
        cursor.execute(FIRST_DUE, values)
        first = cursor.fetchone()
        if first is None:
            return None
        values["activations"] = [first[0]]
    cursor.execute(CLAIM, values)
    rows = [Row(*row) for row in cursor]
    return Claim(claim_id, front.wanted, rows) if rows else None


def done(cursor: Cursor[Any], claim: Claim, now: datetime) -> int:
    """The platform confirmed the operation; answers for how many rows that still counts."""
    cursor.execute(DONE, {**claim.keys(), "wanted": claim.wanted, "now": now})
    return cursor.rowcount


def failed(
    cursor: Cursor[Any], claim: Claim, error: str, now: datetime, delay: timedelta, *, costs_attempt: bool
) -> None:
    """The rows are due again after `delay`; those tried too often are dead."""
    cursor.execute(
        FAILED,
        {
            **claim.keys(),
            "error": error.replace("\0", ""),
            "now": now,
            "retry_at": now + delay,
            "free": 0 if costs_attempt else 1,
            "most": MOST_ATTEMPTS,
        },
    )
