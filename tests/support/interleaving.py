"""Do something, or die, in the middle of what a connection is doing: at its n-th statement, in this very thread."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from core.buckets import try_lock
from core.database import Connection, connect


class Killed(BaseException):
    """The process dies here: nothing that it would do afterwards is done. Not an error that a loop could contain."""


@contextmanager
def at_statement(
    connection: Connection, number: int, do: Callable[[], None], *, between: bool = False
) -> Iterator[None]:
    """Call `do` once, before the connection's `number`-th statement; `between`: the next outside a transaction."""
    left = number
    done = False

    class SteppingCursor(psycopg.Cursor[Any]):
        def execute(self, *given: Any, **more: Any) -> "SteppingCursor":
            nonlocal left, done
            left -= 1
            idle = self.connection.info.transaction_status == TransactionStatus.IDLE
            if left <= 0 and not done and (idle or not between):
                done = True
                do()
            super().execute(*given, **more)
            return self

    usual = connection.cursor_factory
    connection.cursor_factory = SteppingCursor
    try:
        yield
    finally:
        connection.cursor_factory = usual


def die() -> None:
    raise Killed


@contextmanager
def locked(busy: set[int]) -> Iterator[None]:
    """Somebody else works on these buckets meanwhile."""
    if not busy:
        yield
        return
    with connect(durable=False) as other, other.transaction(), other.cursor() as cursor:
        try_lock(cursor, busy)
        yield
