"""Bulk commands: a page of a bucket at a time, in transactions of their own, giving way to events.

What SQL can read is built in whole pages (`bulk_builds`); what it cannot, user by user.
"""

import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

import msgspec
from psycopg import Cursor

from activation import services as activations
from activation.messages import BackfillRequest
from activation.stores import batches, dead_letters, deliveries
from audiences import lists
from audiences import store as memberships
from audiences.compiled import CompiledAudience
from audiences.evaluation import EvaluationTask, group_into_tasks
from audiences.messages import BuildAudience, ForgetAudience
from core.clock import milliseconds
from core.ids.spelling import one_spelling
from core.inbox import InboxKind
from core.messages import Event
from pipeline.absorb import bulk_builds
from pipeline.absorb.desired_state import DesiredState
from pipeline.absorb.memberships import BatchMemberships
from pipeline.absorb.outbox import Outbox
from pipeline.absorb.rows import InboxRow
from pipeline.catalogue import Catalogue
from profiles import identities, merges, suspects
from profiles.messages import Convert, Respell
from profiles.state import COOKIE, ProfileState
from profiles.store import ProfileKey, forget_ids, page_of_profiles, save_converted
from usersync import claims, user_counts
from usersync import store as mappings
from usersync.messages import ForgetPlatform
from usersync.store import LAST

PAGE = 1_000
BUDGET = 2_000  # profiles a transaction that are looked at one by one
SECONDS = 0.1  # of builds in pages: nothing else happens to their buckets meanwhile
FIRST = UUID(int=0)


class BulkScope(Protocol):
    """What bulk commands may read and change. They read pages of tables themselves, with `cursor`."""

    cursor: Cursor[Any]
    now: datetime
    catalogue: Catalogue
    memberships: BatchMemberships
    desired: DesiredState
    outbox: Outbox


@dataclass(slots=True)
class BulkPass:
    """The profiles that the bulk commands of one transaction look at one by one.

    A profile that several commands ask about is evaluated once, for all their audiences: the result for one audience
    may depend on another. `rows` counts what was read, up to `BUDGET`; `end` is when no further command may begin.
    """

    profiles: dict[ProfileKey, ProfileState] = field(default_factory=dict)
    asked: dict[ProfileKey, dict[int, CompiledAudience]] = field(default_factory=lambda: defaultdict(dict))
    rows: int = 0
    end: float = field(default_factory=lambda: time.monotonic() + SECONDS)

    @property
    def is_over(self) -> bool:
        return self.rows >= BUDGET or time.monotonic() >= self.end

    def count_command(self) -> None:
        """Even an empty page costs something."""
        self.rows += PAGE // 50

    def ask(self, profile: ProfileState, audiences: Iterable[CompiledAudience]) -> None:
        """Have these audiences evaluated for the profile."""
        key = (profile.customer, profile.user_id)
        self.profiles.setdefault(key, profile)
        self.asked[key] |= {audience.id: audience for audience in audiences}

    def tasks(self) -> list[EvaluationTask]:
        return group_into_tasks((self.profiles[key], audiences) for key, audiences in self.asked.items())


def build(unit: BulkScope, row: InboxRow, build: BuildAudience, bulk: BulkPass) -> None:
    """One page of users, for an audience and for those that ask about it."""
    audience = unit.catalogue.audiences.get(build.audience)
    if audience is None or audience.version != build.version:
        return
    after = FIRST if build.after is None else UUID(build.after)
    if audience.rule is None:
        last = _ask_page(unit, audience, row.bucket, after, bulk)
    else:
        page = bulk_builds.build(unit, audience, row.bucket, after)
        last = None if page.is_last else page.upto
    if last is not None:
        following = BuildAudience(audience=build.audience, version=build.version, after=str(last))
        unit.outbox.send(row.bucket, InboxKind.BUILD, following)
    else:
        memberships.mark_built(unit.cursor, {row.bucket}, build.audience, build.version)


def _ask_page(unit: BulkScope, audience: CompiledAudience, bucket: int, after: UUID, bulk: BulkPass) -> UUID | None:
    """Have a page of profiles evaluated; returns the user after whom the next page begins, None after the last page."""
    page = page_of_profiles(unit.cursor, bucket, audience.customer, after, PAGE)
    asked = (audience, *unit.catalogue.audiences.asking(audience))
    for profile in page:
        if profile.eligible:
            bulk.ask(profile, asked)
    bulk.rows += len(page)
    return page[-1].user_id if len(page) == PAGE else None


def convert(unit: BulkScope, row: InboxRow, convert: Convert, bulk: BulkPass) -> None:
    """Bring one page of profiles to the types that attributes have now, and ask the audiences that this concerns."""
    after = FIRST if convert.after is None else UUID(convert.after)
    page = page_of_profiles(unit.cursor, row.bucket, convert.customer, after, PAGE)
    converted = []
    for state in page:
        profile = bulk.profiles.setdefault((state.customer, state.user_id), state)
        names = unit.catalogue.conversions.convert_kept(convert.customer, profile.attributes, profile.times)
        if names:
            converted.append(profile)
            if profile.eligible:
                dependencies = frozenset(f"attribute.{name}" for name in names)
                bulk.ask(profile, unit.catalogue.audiences.affected(convert.customer, dependencies).audiences)
    save_converted(unit.cursor, converted, unit.now)
    bulk.rows += len(page)
    if len(page) == PAGE:
        following = Convert(customer=convert.customer, after=str(page[-1].user_id))
        unit.outbox.send(row.bucket, InboxKind.CONVERT, following)


def respell(unit: BulkScope, row: InboxRow, respell: Respell, bulk: BulkPass) -> None:
    """Have one page of profiles linked with their ids in the one spelling: those stored before it was asked for."""
    after = FIRST if respell.after is None else UUID(respell.after)
    page = page_of_profiles(unit.cursor, row.bucket, respell.customer, after, PAGE)
    for profile in page:
        spelled = [(kind, one_spelling(kind, value)) for kind, value in profile.ids if kind != COOKIE]
        new = [one for one in spelled if not profile.knows(*one)]
        if new:
            event = Event(respell.customer, 0, milliseconds(unit.now), str(profile.user_id), ids=new, counted=True)
            event.forwarded = True
            unit.outbox.send(row.bucket, InboxKind.EVENT, event)
    bulk.rows += len(page)
    if len(page) == PAGE:
        following = Respell(customer=respell.customer, after=str(page[-1].user_id))
        unit.outbox.send(row.bucket, InboxKind.RESPELL, following)


def backfill(unit: BulkScope, row: InboxRow, backfill: BackfillRequest, bulk: BulkPass) -> None:
    """Want one page of members for an activation."""
    activation = unit.catalogue.activations.get(backfill.activation)
    if activation is None:
        return
    audience, platform = activation
    after = FIRST if backfill.after is None else UUID(backfill.after)
    page = memberships.page_of_members(unit.cursor, row.bucket, audience, after, PAGE)
    known = mappings.of_users(unit.cursor, {(customer, user) for user, customer, _ in page})
    for user, customer, version in page:
        for mapping in known[customer, user]:
            if mapping.platform == platform:
                unit.desired.want(mapping, backfill.activation, True, version)
        unit.desired.introduce(customer, user, platform, known)
    bulk.rows += len(page)
    if len(page) == PAGE:
        following = BackfillRequest(activation=backfill.activation, after=str(page[-1][0]))
        unit.outbox.send(row.bucket, InboxKind.BACKFILL, following)
    else:
        activations.finish_backfill(unit.cursor, {row.bucket}, backfill.activation)
        unit.desired.changes.recount_matched((row.bucket, backfill.activation), audience, platform)


def forget_platform(unit: BulkScope, row: InboxRow, forget: ForgetPlatform, bulk: BulkPass) -> None:
    """One page of what the bucket holds of a platform that is deleted: whom it knew, then what was sent to it."""
    cursor, bucket, platform = unit.cursor, row.bucket, forget.platform
    after = FIRST if forget.after is None else UUID(forget.after)
    bulk.rows += PAGE
    following = mappings.delete_page_of_platform(cursor, bucket, platform, after, PAGE)
    kinds = (identities.identity_kind(platform), identities.euid_kind(platform))
    ids = [identities.delete_of_kind(cursor, bucket, forget.customer, kind, PAGE) for kind in kinds]
    if following is not None or PAGE in ids:
        last = LAST if following is None else following
        unit.outbox.send(bucket, InboxKind.FORGET_PLATFORM, msgspec.structs.replace(forget, after=str(last)))
        return
    forget_ids(cursor, bucket, forget.customer, kinds[1])
    suspects.forget_kind(cursor, bucket, forget.customer, kinds[1])
    merges.forget_kinds(cursor, bucket, forget.customer, kinds)
    user_counts.forget_platform(cursor, bucket, platform)
    claims.forget_platform(cursor, bucket, platform)
    for store in (deliveries, dead_letters, batches):
        store.delete_of_platform(cursor, bucket, platform)


def forget(unit: BulkScope, row: InboxRow, forget: ForgetAudience, bulk: BulkPass) -> None:
    """Delete who of the bucket was in an audience that is deleted."""
    memberships.delete_of_audience(unit.cursor, row.bucket, forget.audience)
    lists.delete_of_audience(unit.cursor, row.bucket, forget.audience)
