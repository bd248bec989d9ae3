"""Record what came of claimed rows. Each is one short transaction, and touches only rows that still bear the claim.

What is wanted may have changed while the request was under way: then the row is due again.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg import Cursor

from activation.delivery.retry import MOST_ATTEMPTS, backoff
from activation.stores import batches, dead_letters, deliveries
from activation.stores.activation_counts import DeliveryChanges, change_once, counted
from activation.stores.batches import BatchRecord, storable
from activation.stores.claims import Claim, ClaimedRow, part
from activation.stores.dead_letters import Key, key_columns
from core import clock
from core.arrays import Bools, Times
from core.database import Connection

KEYS = """
FROM unnest(%(buckets)s, %(activations)s, %(ids)s) AS k (bucket, activation_id, platform_user_id)
WHERE d.bucket = k.bucket AND d.activation_id = k.activation_id
  AND d.platform_user_id = k.platform_user_id AND d.claim = %(claim)s
"""

DONE = f"""
UPDATE delivery d SET claim = NULL, acknowledged = %(wanted)s, attempts = 0, error = '', changed_at = %(now)s,
    batch = d.claim, expires_at = %(expires_at)s,
    due_at = CASE WHEN d.wanted <> %(wanted)s THEN %(now)s::timestamptz END
{KEYS}
"""

# beside `DONE`
FINISHED = f""",
finished AS ({batches.FINISH})"""

DEAD = f"""
UPDATE delivery d SET claim = NULL, error = %(error)s, changed_at = %(now)s, batch = d.claim,
    dead = (d.wanted = %(wanted)s), attempts = CASE WHEN d.wanted = %(wanted)s THEN d.attempts ELSE 0 END,
    due_at = CASE WHEN d.wanted <> %(wanted)s THEN %(now)s::timestamptz END
{KEYS}
"""
# No letter is written where something else is wanted by now. The rows are those that `DEAD` has just changed.
LETTERS = """
INSERT INTO dead_letter AS kept (bucket, activation_id, platform_user_id, platform_id, user_id, operation, reason,
                                 response_excerpt, attempts, batch, died_at)
SELECT d.bucket, d.activation_id, d.platform_user_id, d.platform_id, d.user_id, %(operation)s, %(error)s, %(excerpt)s,
       d.attempts, d.batch, %(now)s
FROM unnest(%(buckets)s, %(activations)s, %(ids)s) AS k (bucket, activation_id, platform_user_id)
JOIN delivery d ON d.bucket = k.bucket AND d.activation_id = k.activation_id
    AND d.platform_user_id = k.platform_user_id AND d.batch = %(claim)s AND d.claim IS NULL AND d.dead
ON CONFLICT (bucket, activation_id, platform_user_id) DO UPDATE SET
    user_id = excluded.user_id, operation = excluded.operation, reason = excluded.reason,
    response_excerpt = excluded.response_excerpt, attempts = excluded.attempts, batch = excluded.batch,
    died_at = excluded.died_at
"""

AGAIN = """
UPDATE delivery d SET claim = NULL, error = %(error)s, changed_at = %(now)s, batch = d.claim, due_at = k.due_at
FROM unnest(%(buckets)s, %(activations)s, %(ids)s, %(due)s) AS k (bucket, activation_id, platform_user_id, due_at)
WHERE d.bucket = k.bucket AND d.activation_id = k.activation_id
  AND d.platform_user_id = k.platform_user_id AND d.claim = %(claim)s
"""

UNSENT = """
UPDATE delivery d SET claim = NULL, error = %(error)s, attempts = greatest(d.attempts - 1, 0), changed_at = %(now)s,
    acknowledged = CASE WHEN k.known THEN k.before END, due_at = greatest(d.due_at, %(due)s::timestamptz)
FROM unnest(%(buckets)s, %(activations)s, %(ids)s, %(before)s, %(known)s)
     AS k (bucket, activation_id, platform_user_id, before, known)
WHERE d.bucket = k.bucket AND d.activation_id = k.activation_id
  AND d.platform_user_id = k.platform_user_id AND d.claim = %(claim)s
"""


def done(
    cursor: Cursor[Any],
    claim: Claim,
    now: datetime,
    expires_at: datetime | None = None,
    record: BatchRecord | None = None,
) -> int:
    """The platform confirmed the operation. Returns for how many rows that still counts.

    `record`: the log's row of the claim, where nothing is left to say of any row; it is completed.
    """
    values = {**_keys(claim), "wanted": claim.wanted, "now": now, "expires_at": expires_at}
    if record is None:
        return change_once(cursor, DONE, values)
    return change_once(cursor, DONE, {**values, **batches.finish_values(record, now)}, besides=FINISHED)


def dead(cursor: Cursor[Any], claim: Claim, error: str, excerpt: str, now: datetime) -> None:
    """The platform finally refused the rows: they become dead letters."""
    with counted(cursor, locked=False) as changes:
        _bury(changes, claim, error, excerpt, now)


def _bury(changes: DeliveryChanges, claim: Claim, error: str, excerpt: str, now: datetime) -> None:
    values = {**_keys(claim), "wanted": claim.wanted, "error": storable(error), "now": now}
    if changes.execute(DEAD, values):
        more = {"operation": claim.operation.value, "excerpt": storable(excerpt)}
        changes.cursor.execute(LETTERS, {**values, **more})


def failed(cursor: Cursor[Any], claim: Claim, error: str, now: datetime, least: timedelta = timedelta()) -> None:
    """The rows are due again after their backoff, `least` at the least; those tried too often are dead."""
    tried_out = [row for row in claim.rows if row.attempts >= MOST_ATTEMPTS]
    again = sorted(row for row in claim.rows if row.attempts < MOST_ATTEMPTS)
    with counted(cursor, locked=False) as changes:
        if tried_out:
            _bury(changes, Claim(claim.id, claim.wanted, tried_out), error, "", now)
        if again:
            due = [now + max(backoff(row.attempts), least) for row in again]
            values = {**_keys(Claim(claim.id, claim.wanted, again)), "due": Times.of(due)}
            changes.execute(AGAIN, {**values, "error": storable(error), "now": now})


def unsent(cursor: Cursor[Any], claim: Claim, error: str, now: datetime, wait: timedelta = timedelta()) -> None:
    """The platform took nothing of the rows: they are due again after `wait`, at no cost of an attempt."""
    ordered = sorted(claim.rows)
    values = {
        **_keys(claim),
        "before": Bools.of([bool(row.before) for row in ordered]),
        "known": Bools.of([row.before is not None for row in ordered]),
        "error": storable(error),
        "now": now,
        "due": now + wait,
    }
    change_once(cursor, UNSENT, values)


def _keys(claim: Claim) -> dict[str, Any]:
    return {"claim": claim.id, **key_columns(row[:3] for row in claim.rows)}


@dataclass(frozen=True, slots=True)
class ClaimOutcomes:
    """What came of the rows of one claim. The only way in which a sender changes deliveries.

    `has_letters`: the platform has dead letters, so those of accepted rows are to be deleted.
    """

    connection: Connection
    cursor: Cursor[Any]
    claim: Claim
    has_letters: bool

    def accepted(self, rows: list[ClaimedRow], now: datetime, expires_at: datetime | None) -> None:
        """The platform confirmed these rows."""
        with self.connection.transaction():
            done(self.cursor, part(self.claim, rows), now, expires_at)
            if self.has_letters:
                dead_letters.delete(self.cursor, [row[:3] for row in rows])

    def finished(self, rows: list[ClaimedRow], now: datetime, expires_at: datetime | None, record: BatchRecord) -> None:
        """The platform confirmed these rows, or nothing is left to say of any: complete the log's row of the claim."""
        if not rows or self.has_letters:
            if rows:
                self.accepted(rows, now, expires_at)
            batches.finish(self.cursor, record, now)
            return
        done(self.cursor, part(self.claim, rows), now, expires_at, record)

    def failed(self, rows: list[ClaimedRow], error: str, least: timedelta = timedelta()) -> None:
        """The rows are due again after their backoff, after `least` at the earliest; dead where tried too often."""
        with self.connection.transaction():
            failed(self.cursor, part(self.claim, rows), error, clock.now(), least)

    def refused(self, rows: list[ClaimedRow], error: str, excerpt: str) -> None:
        """The platform finally refused the rows: they become dead letters."""
        dead(self.cursor, part(self.claim, rows), error, excerpt, clock.now())

    def reopened(self, keys: list[Key]) -> None:
        """Those of these rows that are dead are due again, and their letters are gone: they were not to blame."""
        if keys:
            with self.connection.transaction(), counted(self.cursor, locked=False) as changes:
                deliveries.revive(changes, keys, clock.now())
                dead_letters.delete(self.cursor, keys)

    def unsent(self, rows: list[ClaimedRow], error: str, wait: timedelta = timedelta()) -> None:
        """The platform took nothing of the rows: they are due again after `wait`, at no cost of an attempt."""
        if rows:
            unsent(self.cursor, part(self.claim, rows), error, clock.now(), wait)
