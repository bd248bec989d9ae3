"""Database connections of the stages, beside Django's.

They pin the planner to index look-ups, because a database that has not been analysed yet plans batch look-ups as full
scans. They read jsonb in the form in which the hub keeps numbers. Requests of the API and the console must use Django's
connection instead.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.conf import settings
from django.db import connection as django_connection
from psycopg.types.json import set_json_loads

from core import arrays
from core.json_values import loads

OPTIONS = (
    "-c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off -c jit=off "
    "-c idle_in_transaction_session_timeout=30s -c timezone=UTC"
)

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
        options=f"{OPTIONS} -c synchronous_commit={'on' if durable else 'off'}",
        connect_timeout=5,
    )
    set_json_loads(loads, connection)
    arrays.register(connection)
    return connection


@contextmanager
def bare_cursor() -> Iterator[psycopg.Cursor[Any]]:
    """A cursor of psycopg's own on Django's connection: Django's binds on the client and cannot take binary arrays."""
    django_connection.ensure_connection()
    arrays.register(django_connection.connection)
    with psycopg.Cursor(django_connection.connection) as cursor:
        yield cursor
