"""How far an activation is filled from the members that its audience had when it was made."""

from typing import Any

from psycopg import Cursor

from activation.messages import Backfill as Command
from activation.models import Backfill
from core.buckets import BUCKETS
from core.inbox import InboxKind
from core.transactions import send_to_every_bucket

DONE = "DELETE FROM activation_backfill WHERE bucket = %s AND activation_id = %s"


def begin(activation: int) -> None:
    """Have every bucket of users looked through, in Django's current transaction."""
    left = [Backfill(bucket=bucket, activation_id=activation) for bucket in range(BUCKETS)]
    Backfill.objects.bulk_create(left, ignore_conflicts=True)
    send_to_every_bucket(InboxKind.BACKFILL, Command(activation))


def done(cursor: Cursor[Any], bucket: int, activation: int) -> None:
    """The bucket, which the caller holds, is looked through."""
    cursor.execute(DONE, [bucket, activation])


def percent(activation: int) -> int:
    """How much is done; 100 where all is."""
    left = Backfill.objects.filter(bucket__in=range(BUCKETS), activation_id=activation).count()
    return 100 - -(-100 * left // BUCKETS)
