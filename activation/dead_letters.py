"""Dead letters: what a platform finally refused. A replay sends what is wanted today, whatever the letter says."""

import base64
import binascii
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Count, Q, QuerySet, Sum

from activation.delivery.lanes import FILES, LANES
from activation.messages import ReplayLetters
from activation.models import Activation, DeadLetter, LetterReplay, ReplayedBucket
from activation.stores import dead_letters as letters
from activation.stores import deliveries
from activation.stores.activation_counts import counted
from activation.stores.dead_letters import Key
from core import audit, clock
from core.buckets import BUCKETS
from core.database import bare_cursor
from core.inbox import InboxKind
from core.transactions import send_to_every_bucket, wake_when_committed
from core.wakeups import DELIVER
from integrations.models import Platform

# so many are replayed at once, in the request that asks for it
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
    """Send what is wanted today for each of these letters, a page at most. Returns how many deliveries were dead."""
    page = list(found.order_by("bucket", "activation_id", "platform_user_id")[:PAGE])
    keys = [(letter.bucket, letter.activation_id, letter.platform_user_id) for letter in page]
    with transaction.atomic(), bare_cursor() as cursor:
        with counted(cursor, locked=False) as changes:
            revived = deliveries.revive(changes, keys, clock.now())
            letters.delete(cursor, keys)
        _record(Counter(letter.platform_id for letter in page))
        for platform in {letter.platform_id for letter in page}:
            for lane in (FILES, *range(LANES)):
                wake_when_committed(DELIVER, platform, lane)
    return revived


def replay_all(
    found: QuerySet[DeadLetter], activation: Activation | None = None, reason: str = ""
) -> tuple[int, LetterReplay | None]:
    """Send what is wanted today for each letter that is there now. Returns their number; where they are many, the job.

    `found` are those letters: of the activation (or of all), with `reason` in their reason. A page of them is sent
    again at once, more in the background: the buckets do it, page by page. A letter that dies again meanwhile is not
    among them, so each is sent once.
    """
    number = found.count()
    if number <= PAGE:
        return replay(found), None
    with transaction.atomic():
        job = LetterReplay.objects.create(
            customer_id=None if activation is None else activation.audience.customer_id,
            activation_id=None if activation is None else activation.pk,
            reason=reason,
            letters=number,
            requested_at=clock.now(),
        )
        ReplayedBucket.objects.bulk_create(
            [ReplayedBucket(bucket=bucket, replay_id=job.pk) for bucket in range(BUCKETS)]
        )
        send_to_every_bucket(InboxKind.REPLAY, ReplayLetters(job.pk))
        audit.record("replay", "dead_letter", customer=job.customer_id, after={"letters": number, "replay": job.pk})
    return number, job


def _record(letters_of: Counter[int]) -> None:
    """Enter in the audit log how many letters of which platforms are sent again."""
    owners = dict(Platform.objects.filter(pk__in=letters_of).values_list("pk", "customer_id"))
    for platform, number in sorted(letters_of.items()):
        after = {"letters": number, "platform": platform}
        audit.record("replay", "dead_letter", customer=owners.get(platform), after=after)


@dataclass(frozen=True, slots=True)
class ReplayProgress:
    """How far a replay has come: letters `replayed` so far, and the `percent` of the hub's buckets that are done."""

    replay: LetterReplay
    replayed: int
    percent: int

    @property
    def is_done(self) -> bool:
        return self.percent == 100


def progress(jobs: Iterable[LetterReplay]) -> list[ReplayProgress]:
    """Returns how far these replays have come, in their order."""
    listed = list(jobs)
    rows = ReplayedBucket.objects.filter(bucket__in=range(BUCKETS), replay_id__in=[job.pk for job in listed])
    counted = rows.values("replay_id").annotate(n=Sum("replayed"), finished=Count("bucket", filter=Q(done=True)))
    by_job = {row["replay_id"]: (row["n"], row["finished"]) for row in counted}
    return [ReplayProgress(job, by_job[job.pk][0], 100 * by_job[job.pk][1] // BUCKETS) for job in listed]
