"""What platforms should hold: the statements that change the columns `wanted`, `epoch` and `version` of a delivery.

A user's bucket sends a `Want`; it is applied in the bucket of the platform's id, and the caller holds that bucket.
Nothing here writes `claim` or speaks to a platform.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import Cursor

from activation.delivery import lanes
from activation.messages import Want
from activation.stores import dead_letters
from activation.stores.activation_counts import DeliveryChanges, counted
from activation.stores.dead_letters import Key
from core import buckets
from core.arrays import Bools, Ints, SmallInts, Texts, Uuids, columns
from core.buckets import BUCKETS

# The row may be in a sender's hands: then it stays due as it was, and the sender, when it finishes, sees that
# the wanted state is another. So does a row that may stand in an open file (True). Older wants and those of former
# owners change nothing: the identity of the id names its present owner.
APPLY = {
    is_open: f"""
INSERT INTO delivery AS kept (bucket, activation_id, platform_user_id, platform_id, user_id, epoch, version,
                              wanted, acknowledged, due_at, changed_at)
SELECT k.bucket, k.activation_id, k.platform_user_id, k.platform_id, k.user_id, k.epoch, k.version, k.wanted, false,
       CASE WHEN k.wanted THEN %s::timestamptz END, %s::timestamptz
FROM unnest(%s::smallint[], %s::int[], %s::text[], %s::int[], %s::uuid[], %s::int[], %s::int[], %s::bool[],
            %s::int[], %s::text[])
     AS k (bucket, activation_id, platform_user_id, platform_id, user_id, epoch, version, wanted, customer_id, kind)
JOIN identity i ON i.bucket = k.bucket AND i.customer_id = k.customer_id AND i.kind = k.kind
    AND i.value = k.platform_user_id AND i.epoch = k.epoch
JOIN activation a ON a.id = k.activation_id AND (a.status <> 'ending' OR NOT k.wanted)
ON CONFLICT (bucket, activation_id, platform_user_id) DO UPDATE SET
    user_id = excluded.user_id, epoch = excluded.epoch, version = excluded.version,
    wanted = excluded.wanted, attempts = 0, dead = false, error = '', changed_at = excluded.changed_at,
    due_at = CASE WHEN kept.claim IS NOT NULL AND kept.due_at IS NOT NULL THEN kept.due_at
                  WHEN excluded.wanted IS DISTINCT FROM kept.acknowledged THEN excluded.changed_at
                  {otherwise} END
WHERE (excluded.epoch, excluded.version) > (kept.epoch, kept.version)
"""
    for is_open, otherwise in {False: "", True: "ELSE kept.due_at"}.items()
}
# the keys of wants that make no row, where there is one
KNOWN = """
SELECT d.bucket, d.activation_id, d.platform_user_id
FROM unnest(%(buckets)s::smallint[], %(activations)s::int[], %(ids)s::text[])
     AS k (bucket, activation_id, platform_user_id)
JOIN delivery d ON d.bucket = k.bucket AND d.activation_id = k.activation_id
    AND d.platform_user_id = k.platform_user_id
"""
_WANT_COLUMNS = (SmallInts, Ints, Texts, Ints, Uuids, Ints, Ints, Bools, Ints, Texts)

RELEASE = """
UPDATE delivery SET epoch = %(epoch)s, version = 0, wanted = false, attempts = 0, dead = false, error = '',
    changed_at = %(now)s,
    due_at = CASE WHEN claim IS NOT NULL AND due_at IS NOT NULL THEN due_at
                  WHEN acknowledged IS DISTINCT FROM false THEN %(now)s::timestamptz
                  WHEN %(is_open)s THEN due_at END
WHERE bucket = %(bucket)s AND activation_id = ANY(%(activations)s) AND platform_user_id = %(id)s
  AND epoch < %(epoch)s
"""

# The epoch is the next one, as when an id changes hands: wants that are still under way are older.
ERASE = """
UPDATE delivery SET user_id = %(erasure)s, epoch = greatest(epoch, %(epoch)s), version = 0, wanted = false,
    attempts = 0, dead = false, error = '', changed_at = %(now)s,
    due_at = CASE WHEN claim IS NOT NULL AND due_at IS NOT NULL THEN due_at
                  WHEN acknowledged IS DISTINCT FROM false THEN %(now)s::timestamptz
                  WHEN %(is_open)s THEN due_at END
WHERE bucket = %(bucket)s AND activation_id = ANY(%(activations)s) AND platform_user_id = %(id)s
  AND (%(whole)s OR user_id = ANY(%(users)s))
"""
NAME_HOLDER = """
UPDATE delivery SET user_id = %(holder)s
WHERE bucket = %(bucket)s AND activation_id = ANY(%(activations)s) AND platform_user_id = %(id)s
  AND user_id = ANY(%(users)s)
"""
ACTIVATIONS = "SELECT id FROM activation WHERE platform_id = %s ORDER BY id"
OF_USERS = """
SELECT DISTINCT p.customer_id, d.user_id, d.platform_id, d.platform_user_id
FROM delivery d JOIN platform p ON p.pl = d.platform_id
WHERE d.bucket = ANY(%s::smallint[]) AND d.user_id = ANY(%s::uuid[])
"""
ERASED = """
SELECT d.bucket, d.activation_id, d.platform_user_id, d.platform_id, d.acknowledged,
       d.due_at IS NULL AND d.claim IS NULL, d.changed_at, a.id IS NULL OR (d.dead AND a.status = 'ending')
FROM delivery d LEFT JOIN activation a ON a.id = d.activation_id
WHERE d.bucket = ANY(%s::smallint[]) AND d.user_id = %s
  AND (d.bucket, d.activation_id, d.platform_user_id) > (%s, %s, %s)
ORDER BY d.bucket, d.activation_id, d.platform_user_id LIMIT %s
"""
IS_OWED = """
SELECT EXISTS (SELECT 1 FROM delivery WHERE bucket = %s AND platform_id = %s AND user_id = %s AND platform_user_id = %s)
"""
FORGET_ERASED = """
DELETE FROM delivery WHERE bucket = %s AND activation_id = %s AND platform_user_id = %s AND user_id = %s
"""


class ErasedDelivery(NamedTuple):
    """A delivery of an erased user, which bears the id of the erasure in place of the user's.

    `acknowledged` false: the platform has removed the id. `idle`: nothing is due or under way, since `changed_at`.
    `abandoned`: nothing will be, because the platform refused the removal and the activation ends.
    """

    bucket: int
    activation: int
    platform_user_id: str
    platform: int
    acknowledged: bool | None
    idle: bool
    changed_at: datetime
    abandoned: bool


def apply(changes: DeliveryChanges, wants: Iterable[tuple[int, Want]], now: datetime) -> set[tuple[int, int]]:
    """Apply wants, each with its bucket, which the caller holds. Returns the (platform, bucket)s touched."""
    latest: dict[Key, Want] = {}
    for bucket, want in wants:
        key = (bucket, want.activation, want.platform_user_id)
        kept = latest.get(key)
        if kept is None or _order(kept) <= _order(want):
            latest[key] = want
    _drop_unknown(changes.cursor, latest)
    if not latest:
        return set()
    rows = [
        (*key, w.platform, w.user, w.epoch, w.version, w.wanted, w.customer, f"platform:{w.platform}")
        for key, w in sorted(latest.items(), key=itemgetter(0))
    ]
    touched = {(row[3], row[0]) for row in rows}
    opened = lanes.with_open_files(changes.cursor, {platform for platform, _ in touched})
    for is_open in (False, True):
        some = [row for row in rows if (row[3] in opened) is is_open] if opened else rows
        changes.execute(APPLY[is_open], [now, now, *columns(_WANT_COLUMNS, some)])
        if not opened:
            break
    return touched


def _order(want: Want) -> tuple[int, int, bool]:
    return want.epoch, want.version, not want.only_known


def _drop_unknown(cursor: Cursor[Any], wants: dict[Key, Want]) -> None:
    """Drop the wants that make no delivery, where there is none: the hand-over of an id concerns few activations."""
    only_known = [key for key, want in wants.items() if want.only_known]
    if only_known:
        cursor.execute(KNOWN, dead_letters.key_columns(only_known))
        for key in set(only_known).difference(cursor.fetchall()):
            del wants[key]


def release(
    changes: DeliveryChanges, platform_user_id: str, activations: list[int], epoch: int, now: datetime, *, is_open: bool
) -> None:
    """Remove an id that has a new owner (or none) from the segments of its former owner.

    `is_open`: the activations' platform has open files.
    """
    bucket = buckets.of_value(platform_user_id)
    values = {"epoch": epoch, "now": now, "bucket": bucket, "activations": activations, "id": platform_user_id}
    changes.execute(RELEASE, {**values, "is_open": is_open})


# ── erasure ───────────────────────────────────────────────────────────────────────────────────────────


def ids_of(cursor: Cursor[Any], users: Sequence[UUID]) -> list[tuple[int, UUID, int, str]]:
    """Returns (customer, user, platform, id) of what the users had, also of ids that nobody has any more.

    A user id is a browser's, which several customers may know: each customer's platforms are its own.
    """
    cursor.execute(OF_USERS, [list(range(BUCKETS)), list(users)])
    return cursor.fetchall()


def activations_of(cursor: Cursor[Any], platform: int) -> list[int]:
    """Returns all activations of the platform, those that end among them."""
    cursor.execute(ACTIVATIONS, [platform])
    return [activation for (activation,) in cursor]


def erase(
    changes: DeliveryChanges,
    bucket: int,
    activations: Sequence[int],
    platform_user_id: str,
    users: Sequence[UUID],
    erasure: UUID,
    epoch: int,
    now: datetime,
    *,
    whole: bool,
    is_open: bool,
) -> int:
    """Remove the id from all segments and put `erasure` in place of its user. Returns the number of deliveries.

    `is_open`: the activations' platform has open files.
    `whole`: the id is the erased user's, so every delivery of it is, whomever it names (its owner may have changed a
    moment ago); else only those that name one of the users. The caller holds the bucket of the id. Its dead letters are
    deleted.
    """
    values = {
        "bucket": bucket,
        "activations": Ints.of(activations),
        "id": platform_user_id,
        "users": Uuids.of(users),
        "erasure": erasure,
        "epoch": epoch,
        "now": now,
        "whole": whole,
        "is_open": is_open,
    }
    erased = changes.execute(ERASE, values)
    dead_letters.delete_of_id(changes.cursor, bucket, activations, platform_user_id)
    return erased


def name_holder(
    cursor: Cursor[Any], activations: Sequence[int], platform_user_id: str, users: Sequence[UUID], holder: UUID
) -> None:
    """The id is another's by now: deliveries and dead letters that still name one of the users name that holder.

    The caller holds the bucket of the id.
    """
    values = {"bucket": buckets.of_value(platform_user_id), "activations": Ints.of(activations), "id": platform_user_id}
    values |= {"users": Uuids.of(users), "holder": holder}
    cursor.execute(NAME_HOLDER, values)
    dead_letters.name_holder(cursor, values)


def erased(cursor: Cursor[Any], erasure: UUID, most: int, after: ErasedDelivery | None = None) -> list[ErasedDelivery]:
    """Returns at most `most` deliveries of the erasure that follow `after`, in the order of their keys."""
    key = (-1, 0, "") if after is None else after[:3]
    cursor.execute(ERASED, [list(range(BUCKETS)), erasure, *key, most])
    return [ErasedDelivery(*row) for row in cursor]


def forget_erased(cursor: Cursor[Any], row: ErasedDelivery, erasure: UUID) -> None:
    """Delete the delivery, in a bucket that the caller holds."""
    with counted(cursor, locked=True) as changes:
        changes.execute(FORGET_ERASED, [row.bucket, row.activation, row.platform_user_id, erasure])


def is_owed(cursor: Cursor[Any], row: ErasedDelivery, erasure: UUID) -> bool:
    """Returns whether another activation of the platform still has to be told of the erased id."""
    cursor.execute(IS_OWED, [row.bucket, row.platform, erasure, row.platform_user_id])
    return bool((cursor.fetchone() or (False,))[0])
