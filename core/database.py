"""Database connections of the stages, beside Django's.

They pin the planner to index look-ups. A database that has not been analysed yet, or was analysed when a table was
another, plans batch look-ups as full scans, and reads all of a queue for its first rows. They read jsonb in the form in
which the hub keeps numbers. Requests of the API and the console must use Django's connection instead.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import psycopg
from django.conf import settings
from django.db import connection as django_connection
from psycopg.errors import QueryCanceled
from psycopg.types.json import set_json_loads

from core import arrays
from core.json_values import loads
from core.right_of_way import lower_priority_of

OPTIONS = (
    "-c enable_seqscan=off -c enable_bitmapscan=off -c enable_hashjoin=off -c enable_mergejoin=off -c jit=off "
    "-c idle_in_transaction_session_timeout=30s -c timezone=UTC"
)

# Statements are few and look rows up by key: each is planned once, for any values. Left alone, PostgreSQL plans for the
# values at hand, because it takes that to be cheaper. Planning cost more than looking; and of what is new, such as an
# audience, its statistics say that there is next to nothing: it read all memberships for each of a batch's users.
PLANNED_ONCE = "-c plan_cache_mode=force_generic_plan"
ABSORBING = f"-c synchronous_commit=off {PLANNED_ONCE}"
SENDING = f"-c synchronous_commit=on {PLANNED_ONCE}"

Connection = psycopg.Connection[tuple[Any, ...]]


def connect(*, durable: bool) -> Connection:
    """Open a connection in autocommit mode; `connection.transaction()` begins a transaction.

    If not `durable`, a crash of PostgreSQL may lose the last commits, each of them whole and never one before another
    that is kept.
    """
    database = settings.DATABASES["default"]
    connection = psycopg.connect(
        dbname=database["NAME"],
        user=database["USER"] or None,
        password=database["PASSWORD"] or None,
        host=database["HOST"] or None,
        port=database["PORT"] or None,
        autocommit=True,
        application_name="dmphub deliver" if durable else "dmphub absorb",
        options=f"{OPTIONS} {SENDING if durable else ABSORBING}",
        connect_timeout=5,
    )
    set_json_loads(loads, connection)
    arrays.register(connection)
    lower_priority_of(connection.info.backend_pid, connection.info.host)
    return connection


def is_cancelled(error: BaseException) -> bool:
    """Whether a statement took longer than it may: `error` is psycopg's, or Django's about it."""
    return isinstance(error, QueryCanceled) or isinstance(error.__cause__, QueryCanceled)


@contextmanager
def bare_cursor() -> Iterator[psycopg.Cursor[Any]]:
    """A cursor of psycopg's own on Django's connection: Django's binds on the client and cannot take binary arrays."""
    django_connection.ensure_connection()
    arrays.register(django_connection.connection)
    with psycopg.Cursor(django_connection.connection) as cursor:
        yield cursor


# seconds that also count while the machine is suspended, where the system has such a clock
elapsed = partial(time.clock_gettime, time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic


@dataclass(frozen=True, slots=True)
class DatabaseClock:
    """The database's time: read once (`read_at`), then carried on by this machine's monotonic clock.

    For what several machines agree on, such as leases: their own clocks may differ by seconds. It is never behind the
    database's clock, and ahead of it by no more than the reading took. `began`: `elapsed()` just before the statement
    that read it.
    """

    read_at: datetime
    began: float

    @classmethod
    def read(cls, cursor: psycopg.Cursor[Any]) -> "DatabaseClock":
        """Read the clock in a statement of its own."""
        began = elapsed()
        cursor.execute("SELECT clock_timestamp()")
        row = cursor.fetchone()
        assert row is not None
        return cls(row[0], began)

    def now(self) -> datetime:
        return self.read_at + timedelta(seconds=elapsed() - self.began)
