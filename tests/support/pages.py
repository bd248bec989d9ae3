"""How many pages of a table and its indexes somebody's statements read, as PostgreSQL counts them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
from django.db import connection

PAGES = """
SELECT heap_blks_hit + heap_blks_read + coalesce(idx_blks_hit + idx_blks_read, 0)
FROM pg_statio_user_tables WHERE relname = %s
"""


def pages_read(table: str, by: "psycopg.Connection[tuple[object, ...]]", doing: Callable[[], object]) -> int:
    """Returns the pages that `doing` read of the table over the connection `by`. Nobody else may be at work."""
    with _without_autovacuum(table):
        _flush(connection.connection)
        _flush(by)
        before = _pages(table)
        doing()
        _flush(by)
        return _pages(table) - before


@contextmanager
def _without_autovacuum(table: str) -> Iterator[None]:
    """What autovacuum reads of the table would count as well. One that is under way is ended."""
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = off)")
        try:
            yield
        finally:
            cursor.execute(f"ALTER TABLE {table} RESET (autovacuum_enabled)")


def _flush(by: "psycopg.Connection[tuple[object, ...]]") -> None:
    """Have the connection publish what it has counted: it does so with the end of its next transaction."""
    by.execute("SELECT pg_stat_force_next_flush()")
    by.execute("SELECT 1")


def _pages(table: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(PAGES, [table])
        (pages,) = cursor.fetchone()
    return int(pages)
