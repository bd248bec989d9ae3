"""Bulk work gives way: it adds to the inbox only while little waits there, so that events never stand behind it."""

import time

from django.db import connection

MOST_ROWS = 20_000
PAUSE_SECONDS = 0.05
PATIENCE_SECONDS = 10.0

COUNT = "SELECT count(*) FROM (SELECT FROM inbox LIMIT %s) AS front"


class Pace:
    """One sender's. Where nobody absorbs, or not fast enough, it stops waiting: its rows are safe in the inbox."""

    def __init__(self) -> None:
        self._patience = PATIENCE_SECONDS

    def wait(self) -> None:
        """Until there is room."""
        end = time.monotonic() + self._patience
        while _is_full():
            if time.monotonic() >= end:
                self._patience = 0.0
                return
            time.sleep(PAUSE_SECONDS)


def _is_full() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(COUNT, [MOST_ROWS])
        (rows,) = cursor.fetchone()
    return bool(rows >= MOST_ROWS)
