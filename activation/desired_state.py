"""What platforms should hold: wants, made in the user's bucket and settled in the bucket of the platform's id."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from psycopg import Cursor

from activation.messages import Want
from activation.models import Activation
from core import buckets
from core.arrays import Bools, Ints, SmallInts, Texts, Uuids, columns
from integrations.models import Platform
from integrations.services import connector_of

# The row may be in a sender's hands: then it stays due as it was, and the sender, when it finishes, sees that
# the wanted state is another. Older wants and those of former owners change nothing: the
# id's identity names the present one.
SETTLE = """
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
                  WHEN kept.due_at IS NOT NULL AND EXISTS (
                      SELECT 1 FROM lane l WHERE l.platform_id = kept.platform_id AND l.open) THEN kept.due_at END
WHERE (excluded.epoch, excluded.version) > (kept.epoch, kept.version)
"""
WANT = (SmallInts, Ints, Texts, Ints, Uuids, Ints, Ints, Bools, Ints, Texts)

DISOWN = """
UPDATE delivery SET epoch = %(epoch)s, version = 0, wanted = false, attempts = 0, dead = false, error = '',
    changed_at = %(now)s,
    due_at = CASE WHEN claim IS NOT NULL AND due_at IS NOT NULL THEN due_at
                  WHEN acknowledged IS DISTINCT FROM false THEN %(now)s::timestamptz
                  WHEN due_at IS NOT NULL AND EXISTS (
                      SELECT 1 FROM lane l WHERE l.platform_id = delivery.platform_id AND l.open) THEN due_at END
WHERE bucket = %(bucket)s AND activation_id = ANY(%(activations)s) AND platform_user_id = %(id)s
  AND epoch < %(epoch)s
"""


@dataclass(slots=True)
class Activations:
    """Every activation of the hub, as (id, platform or audience) by audience and by platform.

    `own`: the platforms that know users by our own ids.
    """

    by_id: dict[int, tuple[int, int]] = field(default_factory=dict)  # audience, platform
    by_audience: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    by_platform: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    own: set[int] = field(default_factory=set)


def load() -> Activations:
    """Read all that do not end: paused and broken ones too, for what is wanted goes on changing."""
    loaded = Activations()
    rows = Activation.objects.exclude(status=Activation.Status.ENDING)
    for key, audience, platform in rows.values_list("id", "audience_id", "platform_id"):
        loaded.by_id[key] = (audience, platform)
        loaded.by_audience.setdefault(audience, []).append((key, platform))
        loaded.by_platform.setdefault(platform, []).append((key, audience))
    activated = Platform.objects.filter(pl__in=loaded.by_platform)
    loaded.own = {platform.pl for platform in activated if _takes_own(platform)}
    return loaded


def _takes_own(platform: Platform) -> bool:
    """A platform whose settings no longer fit takes nothing."""
    try:
        return connector_of(platform).own_ids
    except ValidationError:
        return False


def settle(cursor: Cursor[Any], wants: Iterable[tuple[int, Want]], now: datetime) -> set[tuple[int, int]]:
    """Apply wants, each with its bucket, which the caller holds; answers the (platform, bucket)s touched."""
    latest: dict[tuple[int, int, str], Want] = {}
    for bucket, want in wants:
        key = (bucket, want.activation, want.platform_user_id)
        kept = latest.get(key)
        if kept is None or (kept.epoch, kept.version) <= (want.epoch, want.version):
            latest[key] = want
    if not latest:
        return set()
    rows = [
        (*key, w.platform, UUID(w.user), w.epoch, w.version, w.wanted, w.customer, f"platform:{w.platform}")
        for key, w in sorted(latest.items(), key=itemgetter(0))
    ]
    cursor.execute(SETTLE, [now, now, *columns(WANT, rows)])
    return {(row[3], row[0]) for row in rows}


def disown(cursor: Cursor[Any], platform_user_id: str, activations: list[int], epoch: int, now: datetime) -> None:
    """The id has a new owner (or none): nothing is wanted of the former one's any more."""
    cursor.execute(
        DISOWN,
        {
            "epoch": epoch,
            "now": now,
            "bucket": buckets.of_value(platform_user_id),
            "activations": activations,
            "id": platform_user_id,
        },
    )
