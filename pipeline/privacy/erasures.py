"""Erasing users on request: the inbox rows that do it, the search for what those do not reach, and the proof.

The buckets delete the profile and its ids (`pipeline.absorb.erasure`). Texts that happen to quote an id (bad rows,
excerpts, files) are searched for when no older row is under way any more. An id that a platform has to remove stays
until the platform has done so, or is given up.
"""

import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F
from psycopg import Cursor

from activation.stores import batches, desired_state, quoted_texts
from activation.stores.desired_state import ErasedDelivery
from core import audit, buckets, clock
from core.buckets import try_lock
from core.clock import milliseconds, moment
from core.database import Connection, bare_cursor, connect
from core.inbox import FIRST_BULK, InboxCommand, InboxKind
from core.mentions import Mentions
from core.steps import Steps
from core.transactions import send
from integrations.models import Platform
from integrations.services import connector_of
from pipeline import bad_rows
from pipeline.absorb import found_ids, kept_rows
from pipeline.imports import files
from pipeline.models import Erasure
from profiles import erased, identities
from profiles.attribute_sampling import KNOWN_SECONDS
from profiles.erased import NOBODY
from profiles.merges import surviving_profile
from profiles.messages import Erase, encode
from profiles.models import Attribute, AttributeStatistics, Profile, ProfileMerge
from profiles.state import COOKIE, USER_KEY
from profiles.store import buckets_logged_in, log_out
from usersync.models import UserMapping

GIVEN_UP_AFTER = timedelta(days=30)
# for so long at most, workers keep examples of attributes in memory
LINGER = timedelta(seconds=KNOWN_SECONDS + 1)
LONGEST_BATCH = timedelta(hours=1)  # until its record is completed
AT_ONCE = 500
OPEN = "open"

steps = Steps(logging.getLogger(__name__))

Search = Callable[[int, Sequence[str]], object]
"""Deletes whatever of a customer holds one of the texts."""

# a command bears the moment at which what it follows from was accepted; bulk commands carry nobody's data
OLDEST_UNDER_WAY = "SELECT min(received_at) FROM inbox WHERE kind < %s"

UNFINISHED = "SELECT id FROM erasure WHERE finished_at IS NULL"


def request(customer: int, user_id: UUID, by: str) -> Erasure:
    """Erase the user, all that was merged into it, and all ids. `by`: who asked. Returns the proof.

    Works also if nobody is known by that id, because rows may be under way.
    """
    profile = surviving_profile(customer, user_id)
    now = moment(milliseconds(clock.now()) + 1)  # whole milliseconds travel: whatever is accepted by now is before it
    with transaction.atomic():
        erasure = Erasure.objects.create(
            customer_id=customer,
            id_hash=erased.id_hashes((customer, erased.USER, str(user_id)))[0],
            requested_by=by,
            requested_at=now,
            traces={
                "texts": sorted(_known_texts(customer, user_id, profile)),
                "keys": [value for kind, value in (profile.ids if profile else []) if kind == USER_KEY],
                "since": (profile.created_at if profile else now).isoformat(),
            },
        )
        named = {user_id, *([profile.user_id] if profile else [])}
        send([command(customer, user, now, erasure.id) for user in sorted(named)])
        audit.record("request", "erasure", erasure.id, customer=customer)
    return erasure


def command(customer: int, user: UUID, at: datetime, erasure: UUID = NOBODY) -> InboxCommand:
    """Returns the command that erases the user, in the bucket of the user."""
    message = Erase(customer=customer, user=str(user), at=milliseconds(at), erasure=str(erasure))
    return InboxCommand(buckets.of_user(user), InboxKind.ERASE, encode(message), at)


def _known_texts(customer: int, user_id: UUID, profile: Profile | None) -> set[str]:
    """Returns every id that is known of the user by now. Absorb finds those that are under way."""
    users = [user_id] if profile is None else _merged_users(profile)
    with bare_cursor() as cursor:
        had = {value for of, _, _, value in desired_state.ids_of(cursor, users) if of == customer}
        given_up = {value for of, _, _, value in identities.given_up_by(cursor, users) if of == customer}
    mappings = UserMapping.objects.filter(
        bucket__in=map(buckets.of_user, users), user_id__in=users, customer_id=customer
    )
    known = [value for _, value in profile.ids] if profile else []
    return {
        str(user_id),
        *map(str, users),
        *known,
        *had,
        *given_up,
        *mappings.values_list("platform_user_id", flat=True),
    }


def _merged_users(profile: Profile) -> list[UUID]:
    """Returns the profile's user and every user that was merged into it, or into one of those."""
    found = [profile.user_id, *(UUID(value) for kind, value in profile.ids if kind == COOKIE)]
    following = found
    while following:
        rows = ProfileMerge.objects.filter(
            bucket__in={buckets.of_user(user) for user in following},
            customer_id=profile.customer_id,
            winner__in=following,
        )
        following = list(set(rows.values_list("loser", flat=True)) - set(found))
        found = [*found, *following]
    return found


def unfinished(cursor: Cursor[Any]) -> list[UUID]:
    """Returns the erasures whose deliveries still stand, by the ids that those bear."""
    return [NOBODY, *(erasure for (erasure,) in cursor.execute(UNFINISHED))]


def carry_on(searches: Sequence[Search] = ()) -> None:
    """Go on with the erasures that are not finished. To be called every few seconds."""
    unfinished = Erasure.objects.filter(finished_at=None)
    with connect(durable=True) as own:
        _sweep_ready(own, list(unfinished.filter(swept_at=None).order_by("requested_at")), searches)
        waiting = unfinished.exclude(swept_at=None).order_by(F("looked_at").asc(nulls_first=True), "requested_at")
        kept_rows.forget(own, clock.now())
        found_ids.forget(own)
        for erasure in waiting[:AT_ONCE]:
            steps.run(f"erasure {erasure.pk}", partial(_look, own, erasure))
        steps.run("erasures by retention", partial(_settle_unasked, own))


def _look(own: Connection, erasure: Erasure) -> None:
    erasure.looked_at = clock.now()
    if _settle(own, erasure):
        erasure.finished_at = erasure.looked_at
    with transaction.atomic():
        erasure.save(update_fields=["looked_at", "finished_at"])
        if erasure.finished_at:
            after = {"platforms": erasure.platforms}  # counts
            audit.record("carry out", "erasure", erasure.id, customer=erasure.customer_id, after=after)


def _sweep_ready(own: Connection, unswept: Sequence[Erasure], searches: Sequence[Search]) -> None:
    """Sweep the erasures before which nothing that was accepted is under way: one look at the inbox for all of them."""
    now = clock.now()
    due = [erasure for erasure in unswept if now - erasure.requested_at >= LINGER]
    if not due:
        return
    (oldest,) = own.execute(OLDEST_UNDER_WAY, [FIRST_BULK]).fetchone() or (None,)
    for erasure in due:
        if oldest is None or oldest > erasure.requested_at:
            steps.run(f"search for erasure {erasure.pk}", partial(_sweep, own, erasure, searches))


def _sweep(own: Connection, erasure: Erasure, searches: Sequence[Search]) -> None:
    """Delete the ids wherever a text may hold them. Afterwards the hub no longer knows what it looked for."""
    traces = erasure.traces
    if not _log_out(own, erasure):
        return
    later = found_ids.read(own, erasure.id)  # what was under way when it was asked for
    texts = sorted({text for text in traces["texts"] if text} | later.keys())
    since = min([datetime.fromisoformat(traces["since"]), *filter(None, later.values())])
    platforms = list(Platform.objects.filter(customer_id=erasure.customer_id).values_list("pl", flat=True))
    found = Mentions.of(texts)
    with own.transaction():
        bad_rows.delete_mentioning(own, erasure.customer_id, found)
        quoted_texts.erase_everywhere(own, erasure.customer_id, platforms, found, since)
    forget_examples(erasure.customer_id)
    files.forget_ended(erasure.customer_id)
    files.forget_names(erasure.customer_id, erasure.requested_at)
    for search in searches:
        search(erasure.customer_id, texts)
    erasure.traces, erasure.swept_at = None, clock.now()
    erasure.save(update_fields=["traces", "swept_at"])


def forget_examples(customer: int) -> None:
    """Delete the examples of attributes: whose they were is not known. New ones come with the next data."""
    attributes = Attribute.objects.filter(customer_id=customer).values("pk")
    AttributeStatistics.objects.filter(attribute_id__in=attributes).update(examples=[])


def _log_out(own: Connection, erasure: Erasure) -> bool:
    """Forget which browsers of others the user logged in with. Returns false if a bucket is busy: then try again."""
    customer, keys = erasure.customer_id, erasure.traces.get("keys", [])
    with own.transaction(), own.cursor(binary=True) as cursor:
        in_buckets = buckets_logged_in(cursor, customer, keys) if keys else set()
        held = try_lock(cursor, in_buckets) if in_buckets else set()
        for bucket in sorted(held):
            log_out(cursor, bucket, customer, keys, erasure.requested_at)
    return held == in_buckets


@dataclass(frozen=True, slots=True)
class _Log:
    """When, by platform, the first request began whose record is still to be completed.

    The log quotes the ids of a request, and is completed a moment after what came of them is. To be read after the
    deliveries.
    """

    under_way: dict[int, datetime]

    @classmethod
    def read(cls, own: Connection) -> "_Log":
        return cls(batches.under_way(own, clock.now() - LONGEST_BATCH))

    def is_complete(self, row: ErasedDelivery) -> bool:
        """Whether all is written of the request by which the delivery became what it is."""
        first = self.under_way.get(row.platform)
        return first is None or first > row.changed_at


def _settle(own: Connection, erasure: Erasure) -> bool:
    """Delete the ids that platforms have removed or cannot be told to remove. Returns whether none is left."""
    late = clock.now() - erasure.requested_at > GIVEN_UP_AFTER
    counted: Counter[tuple[int, str]] = Counter()
    told: dict[int, bool] = {}
    for page in _pages_owed(own, erasure.id):
        log, outcomes = _Log.read(own), dict[ErasedDelivery, str]()
        for row in page:
            if row.platform not in told:
                told[row.platform] = _is_told(row.platform)
            is_idle = row.idle and log.is_complete(row)
            outcome = _outcome(row, late=late, is_told=told[row.platform], is_idle=is_idle)
            if outcome is None:
                counted[row.platform, OPEN] += 1
            else:
                outcomes[row] = outcome
        done = _forget_all(own, erasure.id, outcomes, erasure.requested_at - LONGEST_BATCH)
        for row, outcome in outcomes.items():
            counted[row.platform, outcome if row in done else OPEN] += 1
    if counted:
        _note(erasure, counted)
    return not any(outcome == OPEN for _, outcome in counted)


def _settle_unasked(own: Connection) -> None:
    """Delete the ids of users whom nobody asked to erase, as soon as platforms have been told."""
    for page in _pages_owed(own, NOBODY):
        log = _Log.read(own)
        idle = [row for row in page if row.idle and log.is_complete(row)]
        _forget_all(own, NOBODY, idle, clock.now() - GIVEN_UP_AFTER)


def _forget_all(
    own: Connection, erasure: UUID, rows: Collection[ErasedDelivery], since: datetime
) -> set[ErasedDelivery]:
    """Delete what answers say of these ids since then, and then the deliveries. Returns those deleted."""
    if rows:
        platforms = sorted({row.platform for row in rows})
        ids = Mentions.of({row.platform_user_id for row in rows})
        quoted_texts.erase_in_answers(own, platforms, ids, since)
    return {row for row in rows if _forget(own, erasure, row)}


def _pages_owed(own: Connection, erasure: UUID) -> Iterator[list[ErasedDelivery]]:
    """The deliveries of the erasure, a page at a time, so that those that wait hide none behind them."""
    last = None
    while True:
        with own.cursor(binary=True) as cursor:
            page = desired_state.erased(cursor, erasure, AT_ONCE, last)
        if page:
            yield page
        if len(page) < AT_ONCE:
            return
        last = page[-1]


def _outcome(row: ErasedDelivery, *, late: bool, is_told: bool, is_idle: bool) -> str | None:
    """Returns what the proof notes of the id; None if the platform still has to be told, or is being told."""
    if row.acknowledged is False and is_idle:
        return "acknowledged"
    if is_idle and not is_told:
        return "kept"
    return "given_up" if late or (is_idle and row.abandoned) else None


def _is_told(platform: int) -> bool:
    """Whether the platform can be told to remove an id."""
    row = Platform.objects.filter(pl=platform).first()
    try:
        return row is not None and connector_of(row).removal.is_sent
    except ValidationError:
        return True  # as soon as somebody has mended it


def _forget(own: Connection, erasure: UUID, row: ErasedDelivery) -> bool:
    """Delete the delivery, and the id itself if nobody owns it by now. Returns false if the bucket is busy."""
    with own.transaction(), own.cursor(binary=True) as cursor:
        if not try_lock(cursor, {row.bucket}):
            return False
        desired_state.forget_erased(cursor, row, erasure)
        if not desired_state.is_owed(cursor, row, erasure):
            epochs = identities.erase_without_owner(
                cursor, identities.identity_kind(row.platform), row.platform_user_id
            )
            erased.remember_epochs(cursor, epochs, clock.now())
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
