"""Dead letters: what a platform finally refused. A replay sends what is wanted today, whatever the letter said."""

import base64
import binascii
from collections.abc import Iterable, Sequence
from typing import Any

from django.db import connection, transaction
from django.db.models import Q, QuerySet

from activation.delivery.lanes import FILES, LANES
from activation.models import DeadLetter
from core import clock
from core.buckets import BUCKETS
from core.transactions import wake_when_committed
from core.wakeups import DELIVER

Key = tuple[int, int, str]  # bucket, activation, the platform's id
PAGE = 1_000

# Dead means that the platform's state is unknown, or another than what is wanted: whatever it was, it is sent anew.
REVIVE = """
UPDATE delivery d SET dead = false, attempts = 0, error = '', due_at = %(now)s, changed_at = %(now)s
FROM unnest(%(buckets)s::smallint[], %(activations)s::int[], %(ids)s::text[])
     AS k (bucket, activation_id, platform_user_id)
WHERE d.bucket = k.bucket AND d.activation_id = k.activation_id AND d.platform_user_id = k.platform_user_id AND d.dead
"""
DROP = """
DELETE FROM dead_letter d USING unnest(%(buckets)s::smallint[], %(activations)s::int[], %(ids)s::text[])
     AS k (bucket, activation_id, platform_user_id)
WHERE d.bucket = k.bucket AND d.activation_id = k.activation_id AND d.platform_user_id = k.platform_user_id
"""


def name(letter: DeadLetter) -> str:
    """The letter's id, as lists show it and a replay takes it."""
    known_as = base64.urlsafe_b64encode(letter.platform_user_id.encode()).decode().rstrip("=")
    return f"{letter.bucket}.{letter.activation_id}.{known_as}"


def key(name: str) -> Key:
    """The opposite of `name`. Raises ValueError for what never was one."""
    bucket, activation, known_as = name.split(".")
    try:
        padded = known_as + "=" * (-len(known_as) % 4)
        found = int(bucket), int(activation), base64.b64decode(padded, altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as wrong:
        raise ValueError(name) from wrong
    if not (0 <= found[0] < BUCKETS and 0 < found[1] < 2**31):
        raise ValueError(name)
    return found


def named(letters: QuerySet[DeadLetter], keys: Iterable[Key]) -> QuerySet[DeadLetter]:
    """Those of the letters that the keys name."""
    wanted = Q(pk__in=[])
    for bucket, activation, platform_user_id in keys:
        wanted |= Q(bucket=bucket, activation_id=activation, platform_user_id=platform_user_id)
    return letters.filter(wanted)


def replay(letters: QuerySet[DeadLetter]) -> int:
    """Send what is wanted today of each of them; answers how many were dead. Goes by in pages."""
    replayed = 0
    while page := list(letters.order_by("bucket", "activation_id", "platform_user_id")[:PAGE]):
        replayed += _replay(page)
    return replayed


def _replay(page: Sequence[DeadLetter]) -> int:
    values: dict[str, Any] = {
        "buckets": [letter.bucket for letter in page],
        "activations": [letter.activation_id for letter in page],
        "ids": [letter.platform_user_id for letter in page],
        "now": clock.now(),
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(REVIVE, values)
        revived = cursor.rowcount
        cursor.execute(DROP, values)
        for platform in {letter.platform_id for letter in page}:
            for lane in (FILES, *range(LANES)):
                wake_when_committed(DELIVER, platform, lane)
    return int(revived)
