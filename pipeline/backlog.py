"""Whether all is quiet."""

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


def counts() -> dict[str, int]:
    """What is still to be done, stage by stage; all zero = quiet.

    `rechecks_due`: what time alone may have changed, matches that have ended among it. `deliveries_due` counts
    those that wait for a retry; dead and unmapped ones are not due.
    """
    with connection.cursor() as cursor:
        cursor.execute(COUNTS, {"now": clock.now()})
        return dict(zip(NAMES, cursor.fetchone(), strict=True))
