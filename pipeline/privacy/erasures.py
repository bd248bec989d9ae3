"""Erasing users on request: the inbox rows that do it, the search for what those do not reach, and the proof.

The buckets delete the profile and its ids (`pipeline.absorb.erasure`). Texts that happen to quote an id (bad rows,
excerpts, files) are searched for when no older row is under way any more. An id that a platform has to remove stays
until the platform has done so, or is given up.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from activation.stores import batches, dead_letters, deliveries, desired_state
from activation.stores.desired_state import ErasedDelivery
from core import buckets, clock
from core.arrays import Texts
from core.buckets import try_lock
from core.clock import milliseconds, moment
from core.database import Connection, bare_cursor, connect
from core.inbox import InboxCommand, InboxKind
from core.transactions import send
from integrations.connectors.registry import all_connectors
from integrations.models import Platform
from pipeline import bad_rows
from pipeline.absorb.platform_ids import identity_kind
from pipeline.imports import files
from pipeline.models import Erasure
from profiles import erased, identities
from profiles.merges import surviving_profile
from profiles.messages import Erase, encode
from profiles.models import Attribute, AttributeStatistics, Profile
from profiles.state import COOKIE
from usersync.models import UserMapping

GIVEN_UP_AFTER = timedelta(days=30)
# for so long at most, workers keep examples of attributes in memory
LINGER = timedelta(seconds=5)
AT_ONCE = 500
OPEN = "open"
NOBODY = UUID(int=0)
"""The id of an erasure that nobody asked for, because the user was not seen for too long."""

Search = Callable[[int, Sequence[str]], object]
"""Deletes whatever of a customer holds one of the texts."""

UNDER_WAY = "SELECT EXISTS (SELECT FROM inbox WHERE received_at <= %s OR kind = ANY(%s::smallint[]))"


def request(customer: int, user_id: UUID, by: str) -> Erasure:
    """Erase the user, all that was merged into it, and all ids. `by`: who asked. Returns the proof.

    Works also if nobody is known by that id, because rows may be under way.
    """
    profile = surviving_profile(customer, user_id)
    users = _users(user_id, profile)
    with bare_cursor() as cursor:
        platform_ids = set(desired_state.ids_of(cursor, users))
    mappings = UserMapping.objects.filter(
        bucket__in=map(buckets.of_user, users), user_id__in=users, customer_id=customer
    )
    platform_ids |= set(mappings.values_list("platform_id", "platform_user_id"))
    known = profile.ids if profile else []
    texts = {*map(str, users), *(value for _, value in known), *(value for _, value in platform_ids)}
    now = moment(milliseconds(clock.now()))
    survivor_id = profile.user_id if profile else user_id
    with transaction.atomic():
        erasure = Erasure.objects.create(
            customer_id=customer,
            id_hash=erased.id_hashes((customer, erased.USER, str(user_id)))[0],
            requested_by=by,
            requested_at=now,
            traces={"texts": sorted(texts), "since": (profile.created_at if profile else now).isoformat()},
        )
        send([_command(customer, user, now, erasure, platform_ids, survivor_id) for user in users])
    return erasure


def _users(user_id: UUID, profile: Profile | None) -> list[UUID]:
    """Returns every id of ours that names the user."""
    if profile is None:
        return [user_id]
    cookies = [UUID(value) for kind, value in profile.ids if kind == COOKIE]
    return list(dict.fromkeys([profile.user_id, user_id, *cookies]))


def _command(
    customer: int, user: UUID, now: datetime, erasure: Erasure, platform_ids: set[tuple[int, str]], survivor_id: UUID
) -> InboxCommand:
    own = user == survivor_id
    message = Erase(
        customer=customer,
        user=str(user),
        at=milliseconds(now),
        erasure=str(erasure.id),
        platform_ids=sorted(platform_ids) if own else [],
        along=not own,
    )
    return InboxCommand(buckets.of_user(user), InboxKind.ERASE, encode(message), now)


def carry_on(searches: Sequence[Search] = ()) -> None:
    """Go on with every erasure that is not finished. To be called every few seconds."""
    unfinished = list(Erasure.objects.filter(finished_at=None).order_by("requested_at")[:AT_ONCE])
    with connect(durable=True) as own:
        for erasure in unfinished:
            _carry_on(own, erasure, searches)
        for row in _owed(own, NOBODY):
            if row.idle:
                _forget(own, NOBODY, row)


def _carry_on(own: Connection, erasure: Erasure, searches: Sequence[Search]) -> None:
    if erasure.swept_at is None:
        if clock.now() - erasure.requested_at < LINGER:
            return
        row = own.execute(UNDER_WAY, [erasure.requested_at, [InboxKind.ERASE, InboxKind.ERASE_ID]]).fetchone()
        if row is None or row[0]:
            return
        _sweep(own, erasure, searches)
    if _settle(own, erasure):
        Erasure.objects.filter(pk=erasure.pk).update(finished_at=clock.now())


def _sweep(own: Connection, erasure: Erasure, searches: Sequence[Search]) -> None:
    """Delete the ids wherever a text may hold them. Afterwards the hub no longer knows what it looked for."""
    traces = erasure.traces
    texts = [text for text in traces["texts"] if text]
    patterns = [f"%{_escaped(text)}%" for text in texts]
    platforms = list(Platform.objects.filter(customer_id=erasure.customer_id).values_list("pl", flat=True))
    found = Texts.of(patterns)
    with own.transaction():
        bad_rows.delete_mentioning(own, erasure.customer_id, patterns)
        batches.erase_mentions(own, platforms, found, datetime.fromisoformat(traces["since"]))
        deliveries.erase_mentions(own, platforms, found)
        dead_letters.erase_mentions(own, platforms, found)
    AttributeStatistics.objects.filter(
        attribute_id__in=Attribute.objects.filter(customer_id=erasure.customer_id).values("pk")
    ).update(examples=[])  # whose they were is not known: new ones come with the next data
    files.forget_ended(erasure.customer_id)
    for search in searches:
        search(erasure.customer_id, texts)
    erasure.traces, erasure.swept_at = None, clock.now()
    erasure.save(update_fields=["traces", "swept_at"])


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _settle(own: Connection, erasure: Erasure) -> bool:
    """Delete the ids that platforms have removed or cannot be told to remove. Returns whether none is left."""
    late = clock.now() - erasure.requested_at > GIVEN_UP_AFTER
    rows = _owed(own, erasure.id)
    counted: Counter[tuple[int, str]] = Counter()
    for row in rows:
        outcome = _outcome(row, late=late)
        done = outcome is not None and _forget(own, erasure.id, row)
        counted[row.platform, outcome if outcome and done else OPEN] += 1
    if rows:
        _note(erasure, counted)
    return len(rows) < AT_ONCE and not any(outcome == OPEN for _, outcome in counted)


def _owed(own: Connection, erasure: UUID) -> list[ErasedDelivery]:
    with own.cursor(binary=True) as cursor:
        return desired_state.erased(cursor, erasure, AT_ONCE)


def _outcome(row: ErasedDelivery, *, late: bool) -> str | None:
    """Returns what the proof notes of the id; None if the platform still has to be told."""
    if row.acknowledged is False and row.idle:
        return "acknowledged"
    if row.idle and not _is_told(row.platform):
        return "kept"
    return "given_up" if late else None


def _is_told(platform: int) -> bool:
    """Whether the platform can be told to remove an id."""
    row = Platform.objects.filter(pl=platform).first()
    if row is None or row.connector not in all_connectors():
        return False
    return all_connectors()[row.connector](row.settings, row.credentials).removal.is_sent


def _forget(own: Connection, erasure: UUID, row: ErasedDelivery) -> bool:
    """Delete the delivery, and the id itself if nobody owns it by now. Returns false if the bucket is busy."""
    with own.transaction(), own.cursor(binary=True) as cursor:
        if not try_lock(cursor, {row.bucket}):
            return False
        desired_state.forget_erased(cursor, row, erasure)
        if not desired_state.is_owed(cursor, row, erasure):
            identities.erase_without_owner(cursor, identity_kind(row.platform), row.platform_user_id)
    return True


def _note(erasure: Erasure, counted: Counter[tuple[int, str]]) -> None:
    """Add what is settled to the proof, and replace the counts of what is open."""
    platforms: dict[str, dict[str, Any]] = erasure.platforms
    for noted in platforms.values():
        noted.pop(OPEN, None)
    for (platform, outcome), ids in counted.items():
        noted = platforms.setdefault(str(platform), {})
        noted[outcome] = noted.get(outcome, 0) + ids
    erasure.save(update_fields=["platforms"])
