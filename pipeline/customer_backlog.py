"""What is still to be done for some customers, for those who may not know how busy the others are.

Rows of the inbox name their customer in their content only, so a bounded number of them is read. Where more wait, or
are due, than may be read, the count is at least 1: then it is not known that nothing of the customer's is among them.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from psycopg import Cursor

from activation.models import Activation, LetterReplay
from audiences.models import Audience
from core import clock
from core.arrays import Ints, SmallInts
from core.buckets import BUCKETS
from core.scope import Scope
from core.transactions import plain_cursor
from integrations.models import Platform
from pipeline.absorb.inbox_marks import InboxMarks
from pipeline.absorb.rows import messages_waiting

MOST_READ = 20_000
BY_INDEX = "SELECT set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true)"
RECHECKS = """
SELECT count(*) FILTER (WHERE due.customer_id = ANY(%(customers)s)), count(*)
FROM (SELECT customer_id FROM membership WHERE bucket = ANY(%(buckets)s) AND look_again_at <= %(now)s
      LIMIT %(most)s) AS due
"""
ENDED = """
SELECT count(*) FILTER (WHERE due.customer_id = ANY(%(customers)s)), count(*)
FROM (SELECT customer_id FROM identity WHERE bucket = ANY(%(buckets)s) AND expires_at <= %(now)s
      LIMIT %(most)s) AS due
"""
DELIVERIES = """
SELECT coalesce(sum(c.due - c.in_flight), 0), coalesce(sum(c.in_flight), 0)
FROM activation_count c JOIN activation a ON a.id = c.activation_id
WHERE c.bucket = ANY(%(buckets)s) AND c.activation_id = ANY(%(activations)s)
  AND a.status IN ('live', 'pending', 'ending')
"""


class _Named(msgspec.Struct):
    """What a row of the inbox is about: every message names one of these, except what concerns all customers."""

    customer: int | None = None
    audience: int | None = None
    activation: int | None = None
    platform: int | None = None
    replay: int | None = None


_read = msgspec.json.Decoder(_Named).decode


def counts(scope: Scope, marks: InboxMarks) -> dict[str, int]:
    """Returns what is still to be done for the customers of a scope that is limited to some.

    `marks`: what the caller's earlier looks at the inbox have learned.
    """
    activations = scope.of(Activation).values_list("id", flat=True)
    with plain_cursor() as cursor:
        waiting = messages_waiting(cursor, MOST_READ, marks)
        cursor.execute(BY_INDEX)
        values = {
            "buckets": SmallInts.of(range(BUCKETS)),
            "now": clock.now(),
            "most": MOST_READ,
            "customers": Ints.of(sorted(scope.customers or ())),
            "activations": Ints.of(list(activations)),
        }
        due, in_flight = cursor.execute(DELIVERIES, values).fetchone() or (0, 0)
        return {
            "inbox": _waiting(waiting, scope),
            "rechecks_due": sum(_due(cursor, statement, values) for statement in (RECHECKS, ENDED)),
            "building": scope.of(Audience).filter(status=Audience.Status.BUILDING).count(),
            "deliveries_due": int(due),
            "in_flight": int(in_flight),
        }


def _due(cursor: Cursor[Any], statement: str, values: dict[str, Any]) -> int:
    ours, read = cursor.execute(statement, values).fetchone() or (0, 0)
    return max(ours, 1) if read >= MOST_READ else int(ours)


def _waiting(messages: Sequence[bytes], scope: Scope) -> int:
    own = {name: set(ids) for name, ids in _things(scope).items()} if messages else {}
    ours = sum(_is_of(message, own) for message in messages)
    return max(ours, 1) if len(messages) >= MOST_READ else ours


def _things(scope: Scope) -> dict[str, Iterable[int]]:
    models: Sequence[tuple[str, Any]] = [
        ("audience", Audience),
        ("activation", Activation),
        ("platform", Platform),
        ("replay", LetterReplay),
    ]
    found: dict[str, Iterable[int]] = {name: scope.of(model).values_list("pk", flat=True) for name, model in models}
    return {"customer": scope.customers or (), **found}


def _is_of(message: bytes, own: dict[str, set[int]]) -> bool:
    try:
        named = _read(message)
    except msgspec.DecodeError:
        return False
    if named.customer is not None:
        return named.customer in own["customer"]
    return any(getattr(named, name) in ids for name, ids in own.items())
