"""Changes of all deliveries of an activation, or of many dead letters: a page of one bucket in each statement.

The caller holds the bucket, so that nobody waits for the rows while holding it. No page is so long that somebody waits
long for the bucket.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from psycopg import Cursor

from activation.stores import dead_letters, deliveries
from activation.stores.activation_counts import DeliveryChanges, counted
from activation.stores.dead_letters import Key
from core.arrays import Ints, SmallInts
from core.buckets import BUCKETS
from core.database import Connection

PAGE = 1_000

UPTO = """
SELECT count(*), max(platform_user_id) FROM (
    SELECT platform_user_id FROM delivery
    WHERE bucket = %(bucket)s AND activation_id = %(activation)s AND platform_user_id > %(after)s
    ORDER BY platform_user_id LIMIT %(most)s) AS page
"""
_PAGE = """
bucket = %(bucket)s AND activation_id = %(activation)s
  AND platform_user_id > %(after)s AND platform_user_id <= %(upto)s
"""
# What is being sent is sent now; a removal that the platform is not sent would only make the state unknown.
RESYNC = f"""
UPDATE delivery SET due_at = %(now)s, attempts = 0, dead = false, error = '', acknowledged = NULL
WHERE {_PAGE} AND claim IS NULL AND (wanted OR %(removals_sent)s)
"""
WITHDRAW = f"""
UPDATE delivery SET wanted = false, version = version + 1, attempts = 0, dead = false, error = '',
    changed_at = %(now)s,
    due_at = CASE WHEN claim IS NOT NULL AND due_at IS NOT NULL THEN due_at
                  WHEN acknowledged IS DISTINCT FROM false AND %(removals_sent)s THEN %(now)s::timestamptz
                  WHEN %(removals_sent)s AND %(is_open)s THEN due_at END
WHERE {_PAGE} AND wanted
"""
WITHDRAWN = "DELETE FROM activation_withdrawal WHERE bucket = %s AND activation_id = %s"
IS_BEING_WITHDRAWN = """
SELECT 1 FROM activation_withdrawal WHERE bucket = ANY(%s::smallint[]) AND activation_id = %s LIMIT 1
"""
EXPIRING = """
SELECT bucket FROM unnest(%(buckets)s::smallint[]) AS b (bucket) WHERE EXISTS (
    SELECT 1 FROM delivery d WHERE d.bucket = b.bucket AND d.expires_at <= %(soon)s
      AND d.activation_id = ANY(%(activations)s)
      AND (d.wanted AND d.due_at IS NULL AND NOT d.dead
           OR d.expires_at <= %(now)s AND NOT d.wanted AND d.claim IS NULL))
"""
REFRESH = """
UPDATE delivery d SET due_at = CASE WHEN d.wanted THEN %(now)s::timestamptz END, changed_at = %(now)s,
    acknowledged = CASE WHEN d.wanted THEN d.acknowledged ELSE false END,
    expires_at = CASE WHEN d.wanted THEN d.expires_at END
FROM (SELECT bucket, activation_id, platform_user_id FROM delivery
      WHERE bucket = %(bucket)s AND expires_at <= %(soon)s AND activation_id = ANY(%(activations)s)
        AND (wanted AND due_at IS NULL AND NOT dead
             OR expires_at <= %(now)s AND NOT wanted AND claim IS NULL)
      LIMIT %(most)s) AS page
WHERE d.bucket = page.bucket AND d.activation_id = page.activation_id AND d.platform_user_id = page.platform_user_id
  AND d.claim IS NULL
"""
_LETTERS = """
SELECT activation_id, platform_user_id, platform_id FROM dead_letter
WHERE bucket = %(bucket)s AND (activation_id, platform_user_id) > (%(after_activation)s, %(after_id)s)
  AND died_at <= %(before)s AND (%(reason)s::text = '' OR position(lower(%(reason)s::text) IN lower(reason)) > 0)
  {one}
ORDER BY activation_id, platform_user_id LIMIT %(most)s
"""
LETTERS = _LETTERS.format(one="")
LETTERS_OF_ONE = _LETTERS.format(one="AND activation_id = %(activation)s")
COUNT_REPLAYED = """
UPDATE dead_letter_replay_bucket SET replayed = replayed + %s, done = %s WHERE bucket = %s AND replay_id = %s
"""


@dataclass(frozen=True, slots=True)
class DeliveryPage:
    """Which deliveries to change: those of an activation in one bucket, after an id."""

    bucket: int
    activation: int
    after: str


class ChangedPage(NamedTuple):
    """`rows` that were looked at; `upto`: the id after which the next page begins, None after the last page."""

    rows: int
    upto: str | None


@dataclass(frozen=True, slots=True)
class LetterPage:
    """Which letters to replay: `activation` and `reason` as in `LetterReplay`, of those that died by `before`."""

    bucket: int
    activation: int | None
    reason: str
    before: datetime
    after: tuple[int, str]


class Letter(NamedTuple):
    activation: int
    platform_user_id: str
    platform: int


def resync(changes: DeliveryChanges, page: DeliveryPage, now: datetime, *, removals_sent: bool) -> ChangedPage:
    """Have a page of ids sent again, as they are wanted."""
    return _change(changes, RESYNC, page, {"now": now, "removals_sent": removals_sent})


def withdraw(
    changes: DeliveryChanges, page: DeliveryPage, now: datetime, *, removals_sent: bool, is_open: bool
) -> ChangedPage:
    """Want no id of a page any more. The rows become due where the platform is sent removals.

    `is_open`: the platform has open files.
    """
    return _change(changes, WITHDRAW, page, {"now": now, "removals_sent": removals_sent, "is_open": is_open})


def finish_withdrawal(cursor: Cursor[Any], bucket: int, activation: int) -> None:
    """Note that no id of the bucket is wanted any more."""
    cursor.execute(WITHDRAWN, [bucket, activation])


def is_being_withdrawn(cursor: Cursor[Any], activation: int) -> bool:
    """Whether some bucket may still want ids of an activation that ends."""
    cursor.execute(IS_BEING_WITHDRAWN, [list(range(BUCKETS)), activation])
    return cursor.fetchone() is not None


def buckets_to_refresh(cursor: Cursor[Any], activations: Sequence[int], now: datetime, soon: datetime) -> list[int]:
    """Returns the buckets in which `refresh` finds something."""
    values = {"activations": Ints.of(activations), "now": now, "soon": soon}
    cursor.execute(EXPIRING, {**values, "buckets": SmallInts.of(range(BUCKETS))})
    return [bucket for (bucket,) in cursor]


def refresh(cursor: Cursor[Any], activations: Sequence[int], bucket: int, now: datetime, soon: datetime) -> int:
    """Have members sent again that the platform forgets before `soon`, a page at most. Returns how many rows changed.

    Ids that are not wanted and that the platform has forgotten by `now` count as removed. The caller holds the bucket.
    """
    values = {"activations": Ints.of(activations), "bucket": bucket, "now": now, "soon": soon, "most": PAGE}
    with counted(cursor, locked=True) as changes:
        return changes.execute(REFRESH, values)


def replay(changes: DeliveryChanges, page: LetterPage, now: datetime) -> list[Letter]:
    """Have the ids of a page of letters sent again, as they are wanted, and delete the letters. Returns them in order.

    Fewer than `PAGE`: it was the last page. A letter that is written anew meanwhile belongs to no later page.
    """
    values = {
        "bucket": page.bucket,
        "activation": page.activation,
        "reason": page.reason,
        "before": page.before,
        "after_activation": page.after[0],
        "after_id": page.after[1],
        "most": PAGE,
    }
    cursor = changes.cursor
    cursor.execute(LETTERS if page.activation is None else LETTERS_OF_ONE, values)
    found = [Letter(*row) for row in cursor]
    keys: list[Key] = [(page.bucket, letter.activation, letter.platform_user_id) for letter in found]
    if keys:
        deliveries.revive(changes, keys, now)
        dead_letters.delete(cursor, keys)
    return found


def count_replayed(cursor: Cursor[Any], replay_id: int, bucket: int, replayed: int, *, done: bool) -> None:
    """Note how far a replay has come in the bucket."""
    cursor.execute(COUNT_REPLAYED, [replayed, done, bucket, replay_id])


def delete_replays(connection: Connection, before: datetime) -> None:
    """Forget replays that were requested before."""
    connection.execute(
        "DELETE FROM dead_letter_replay_bucket WHERE bucket = ANY(%s::smallint[])"
        " AND replay_id IN (SELECT id FROM dead_letter_replay WHERE requested_at < %s)",
        [list(range(BUCKETS)), before],
    )
    connection.execute("DELETE FROM dead_letter_replay WHERE requested_at < %s", [before])


def _change(changes: DeliveryChanges, statement: str, page: DeliveryPage, how: dict[str, Any]) -> ChangedPage:
    values = {"bucket": page.bucket, "activation": page.activation, "after": page.after}
    changes.cursor.execute(UPTO, {**values, "most": PAGE})
    rows, upto = changes.cursor.fetchone() or (0, None)
    if upto is not None:
        changes.execute(statement, {**values, **how, "upto": upto})
    return ChangedPage(rows, upto if rows == PAGE else None)
