"""Bulk work gives way: it adds to the inbox only while little waits there, so that events never stand behind it."""

import time
from datetime import timedelta

from django.db import connection

from core import clock

MOST_ROWS = 20_000
PAUSE_SECONDS = 0.05
PATIENCE_SECONDS = 10.0

COUNT = "SELECT count(*) FROM (SELECT FROM inbox LIMIT %s) AS front"


AT_WORK = """
SELECT EXISTS (SELECT FROM absorb_run WHERE started_at > %s)
"""


class Pace:
    """One sender's. Where nobody absorbs, or not fast enough, it stops waiting: its rows are safe in the inbox.

    `as_long_as_absorbed`: it is in no hurry, and waits however long it takes while somebody absorbs.
    """

    def __init__(self, *, as_long_as_absorbed: bool = False) -> None:
        self._patience = PATIENCE_SECONDS
        self._in_no_hurry = as_long_as_absorbed

    def wait(self) -> None:
        """Until there is room."""
        end = time.monotonic() + self._patience
        while _is_full():
            if self._in_no_hurry and _is_absorbed():
                end = time.monotonic() + self._patience
            elif time.monotonic() >= end:
                self._patience = 0.0
                return
            time.sleep(PAUSE_SECONDS)


class AtOnce:
    """Gives way to nobody."""

    def wait(self) -> None:
        """Not at all."""


def _is_full() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(COUNT, [MOST_ROWS])
        (rows,) = cursor.fetchone()
    return bool(rows >= MOST_ROWS)


def _is_absorbed() -> bool:
    """Whether some absorber has begun a batch lately."""
    with connection.cursor() as cursor:
        cursor.execute(AT_WORK, [clock.now() - timedelta(seconds=PATIENCE_SECONDS)])
        (found,) = cursor.fetchone()
    return bool(found)
