"""The backlog: what is still to be done, and how bulk work gives way to it."""

import time
from datetime import timedelta

from django.db import connection

from core import clock

COUNTS = """
SELECT (SELECT count(*) FROM inbox),
       (SELECT count(*) FROM membership WHERE look_again_at <= %(now)s)
         + (SELECT count(*) FROM identity WHERE expires_at <= %(now)s),
       (SELECT count(*) FROM audience WHERE status = 'building'),
       (SELECT count(*) FROM delivery d JOIN activation a ON a.id = d.activation_id
        WHERE d.due_at IS NOT NULL AND d.claim IS NULL AND a.status IN ('live', 'pending', 'ending')),
       (SELECT count(*) FROM delivery d JOIN activation a ON a.id = d.activation_id
        WHERE d.due_at IS NOT NULL AND d.claim IS NOT NULL AND a.status IN ('live', 'pending', 'ending'))
"""
NAMES = ("inbox", "rechecks_due", "building", "deliveries_due", "in_flight")

ROWS = "SELECT count(*) FROM (SELECT FROM inbox LIMIT %s) AS front"
ABSORBED = "SELECT EXISTS (SELECT FROM absorb_run WHERE started_at > %s)"

MOST_ROWS = 20_000
PAUSE_SECONDS = 0.05
PATIENCE_SECONDS = 10.0


def counts() -> dict[str, int]:
    """Returns what is still to be done, stage by stage; all zero means that the hub is quiet.

    `rechecks_due` counts what time alone may have changed, matches that have ended included. `deliveries_due` counts
    those that wait for a retry; dead and unmapped ones are not due.
    """
    with connection.cursor() as cursor:
        cursor.execute(COUNTS, {"now": clock.now()})
        return dict(zip(NAMES, cursor.fetchone(), strict=True))


class Backpressure:
    """Lets one sender of bulk rows add to the inbox only while little waits there, so that events are not delayed.

    Where nobody absorbs, or not fast enough, the sender stops waiting: its rows are safe in the inbox. With
    `as_long_as_absorbed` it is in no hurry, and waits however long it takes while somebody absorbs.
    """

    def __init__(self, *, as_long_as_absorbed: bool = False) -> None:
        self._patience = PATIENCE_SECONDS
        self._in_no_hurry = as_long_as_absorbed

    def wait(self) -> None:
        """Block until there is room, or until patience ends."""
        end = time.monotonic() + self._patience
        while _is_full():
            if self._in_no_hurry and _is_absorbed():
                end = time.monotonic() + self._patience
            elif time.monotonic() >= end:
                self._patience = 0.0
                return
            time.sleep(PAUSE_SECONDS)


class NoBackpressure(Backpressure):
    """For a sender that gives way to nobody."""

    def wait(self) -> None:
        """Return at once."""


def _is_full() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(ROWS, [MOST_ROWS])
        (rows,) = cursor.fetchone()
    return bool(rows >= MOST_ROWS)


def _is_absorbed() -> bool:
    """Returns whether some absorber has begun a batch lately."""
    with connection.cursor() as cursor:
        cursor.execute(ABSORBED, [clock.now() - timedelta(seconds=PATIENCE_SECONDS)])
        (found,) = cursor.fetchone()
    return bool(found)
