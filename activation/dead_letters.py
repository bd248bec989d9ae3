"""Dead letters: what a platform finally refused. A replay sends what is wanted today, whatever the letter says."""

import base64
import binascii
from collections.abc import Iterable, Sequence

from django.db import transaction
from django.db.models import Q, QuerySet

from activation.delivery.lanes import FILES, LANES
from activation.models import DeadLetter
from activation.stores import dead_letters as letters
from activation.stores import deliveries
from activation.stores.dead_letters import Key
from core import clock
from core.buckets import BUCKETS
from core.database import bare_cursor
from core.transactions import wake_when_committed
from core.wakeups import DELIVER

PAGE = 1_000


def name(letter: DeadLetter) -> str:
    """Returns the letter's id, as lists show it and a replay takes it."""
    known_as = base64.urlsafe_b64encode(letter.platform_user_id.encode()).decode().rstrip("=")
    return f"{letter.bucket}.{letter.activation_id}.{known_as}"


def key(name: str) -> Key:
    """Returns the key of the letter with this id. Raises ValueError for what is no id of a letter."""
    bucket, activation, known_as = name.split(".")
    try:
        padded = known_as + "=" * (-len(known_as) % 4)
        found = int(bucket), int(activation), base64.b64decode(padded, altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as wrong:
        raise ValueError(name) from wrong
    if not (0 <= found[0] < BUCKETS and 0 < found[1] < 2**31):
        raise ValueError(name)
    return found


def named(found: QuerySet[DeadLetter], keys: Iterable[Key]) -> QuerySet[DeadLetter]:
    """Returns the letters that the keys name."""
    wanted = Q(pk__in=[])
    for bucket, activation, platform_user_id in keys:
        wanted |= Q(bucket=bucket, activation_id=activation, platform_user_id=platform_user_id)
    return found.filter(wanted)


def replay(found: QuerySet[DeadLetter]) -> int:
    """Send what is wanted today for each of these letters, page by page. Returns how many deliveries were dead."""
    replayed = 0
    while page := list(found.order_by("bucket", "activation_id", "platform_user_id")[:PAGE]):
        replayed += _replay(page)
    return replayed


def _replay(page: Sequence[DeadLetter]) -> int:
    keys = [(letter.bucket, letter.activation_id, letter.platform_user_id) for letter in page]
    with transaction.atomic(), bare_cursor() as cursor:
        revived = deliveries.revive(cursor, keys, clock.now())
        letters.delete(cursor, keys)
        for platform in {letter.platform_id for letter in page}:
            for lane in (FILES, *range(LANES)):
                wake_when_committed(DELIVER, platform, lane)
    return revived
