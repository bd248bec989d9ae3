"""Activations that end: whoever the platform holds is removed, then the activation itself goes."""

from datetime import datetime
from typing import Any

import psycopg

from activation.delivery.targets import Target
from activation.models import Activation
from core import clock
from core.arrays import SmallInts
from core.buckets import BUCKETS
from integrations.connectors.base import Segment

Connection = psycopg.Connection[tuple[Any, ...]]

# absorb may have wanted somebody in while it did not know yet that the activation ends
UNWANT = """
UPDATE delivery SET wanted = false, version = version + 1, attempts = 0, dead = false, error = '',
    changed_at = %(now)s,
    due_at = CASE WHEN claim IS NOT NULL AND due_at IS NOT NULL THEN due_at
                  WHEN acknowledged IS DISTINCT FROM false AND %(told)s THEN %(now)s::timestamptz END
WHERE bucket = ANY(%(buckets)s) AND activation_id = %(activation)s AND wanted
"""
LEFT = """
SELECT EXISTS (SELECT 1 FROM delivery WHERE bucket = ANY(%(buckets)s) AND activation_id = %(activation)s
               AND (due_at IS NOT NULL OR claim IS NOT NULL))
"""
FORGET = """
DELETE FROM {table} WHERE bucket = ANY(%(buckets)s) AND activation_id = %(activation)s
"""
TABLES = ("delivery", "dead_letter", "activation_backfill")


def unwant(cursor: Any, activation: int, now: datetime, *, told: bool) -> None:
    """Nobody is wanted any more; due where the platform can be told (`told`)."""
    values = {"buckets": list(range(BUCKETS)), "activation": activation, "now": now, "told": told}
    cursor.execute(UNWANT, values)


def end(connection: Connection, target: Target, segment: Segment) -> int:
    """Delete the activation where nothing is left to tell; answers 1 then."""
    told = target.connector.removal.is_sent and segment.id is not None
    buckets = SmallInts.of(range(BUCKETS))
    values = {"buckets": buckets, "activation": segment.activation, "now": clock.now(), "told": told}
    with connection.transaction():
        connection.execute(UNWANT, values)
        row = connection.execute(LEFT, values).fetchone()
        if told and row and row[0]:
            return 0
        for table in TABLES:
            connection.execute(FORGET.format(table=table), values)
    Activation.objects.filter(id=segment.activation, status=Activation.Status.ENDING).delete()
    return 1
