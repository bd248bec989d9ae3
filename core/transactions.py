"""Work for the stages from code that uses Django: commands are appended in its transaction, wake-ups follow the commit.

Never wake a stage inside a transaction: it would look for rows that it cannot see yet. The edge must not import this
module, because it needs Django.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
import psycopg
from django.conf import settings
from django.db import connection, transaction

from core import arrays, clock, inbox
from core.buckets import BUCKETS
from core.inbox import InboxCommand, InboxKind
from core.wakeups import ABSORB, wakeups


@contextmanager
def plain_cursor() -> Iterator[psycopg.Cursor[Any]]:
    """A cursor of psycopg's own in Django's transaction: Django's cursor cannot take binary arrays."""
    with transaction.atomic():
        arrays.register(connection.connection)
        with psycopg.Cursor(connection.connection) as cursor:
            yield cursor


def send(messages: Sequence[InboxCommand]) -> None:
    """Append commands to the inbox in Django's current transaction, and wake absorb once it is committed."""
    with plain_cursor() as cursor:
        inbox.append(cursor, messages)
        wake_when_committed(ABSORB, 0)


def send_to_every_bucket(kind: InboxKind, message: msgspec.Struct) -> None:
    """Send every bucket the same command."""
    now, encoded = clock.now(), msgspec.json.encode(message)
    send([InboxCommand(bucket, kind, encoded, now) for bucket in range(BUCKETS)])


def wake_when_committed(stage: str, *ids: int) -> None:
    """Wake a stage once the transaction that gives it work is committed."""
    transaction.on_commit(lambda: wakeups(settings.REDIS_URL).wake(stage, *ids))
