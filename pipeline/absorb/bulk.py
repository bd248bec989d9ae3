"""Bulk commands: a page of a bucket at a time, in transactions of their own, giving way to events.

What SQL can read is built in sets (`sets`); what it cannot, user by user.
"""

import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

from activation import backfills
from activation.messages import Backfill, decode_backfill
from audiences import store as memberships
from audiences.catalogue import CompiledAudience
from audiences.evaluation import EvaluationTask, group_into_tasks
from audiences.messages import BuildAudience, decode_build_audience, decode_forget_audience
from core.inbox import InboxKind
from pipeline.absorb import bulk_builds
from pipeline.absorb.rows import Row
from pipeline.absorb.unit_of_work import Work
from profiles.messages import Convert, decode_convert
from profiles.state import ProfileState
from profiles.store import ProfileKey, page_of_profiles, save_profiles
from usersync import store as mappings

PAGE = 1_000
BUDGET = 2_000  # profiles a transaction that are looked at one by one
SECONDS = 0.1  # of sets: nothing else happens to their buckets meanwhile
FIRST = UUID(int=0)


@dataclass(slots=True)
class Spent:
    """What the transaction takes on. A profile that several commands ask about is looked at once, for all of them:
    one answer may stand on another."""

    profiles: dict[ProfileKey, ProfileState] = field(default_factory=dict)
    asked: dict[ProfileKey, dict[int, CompiledAudience]] = field(default_factory=lambda: defaultdict(dict))
    rows: int = 0

    def ask(self, profile: ProfileState, audiences: Iterable[CompiledAudience]) -> None:
        key = (profile.customer, profile.user_id)
        self.profiles.setdefault(key, profile)
        self.asked[key] |= {audience.id: audience for audience in audiences}

    def tasks(self) -> list[EvaluationTask]:
        return group_into_tasks((self.profiles[key], audiences) for key, audiences in self.asked.items())


def work_off(work: Work, rows: list[Row]) -> list[Row]:
    """Do as many of these bulk commands as the transaction has room for; answers those done."""
    spent = Spent()
    done = []
    end = time.monotonic() + SECONDS
    for row in rows:
        if spent.rows >= BUDGET or time.monotonic() >= end:
            break
        if row.kind == InboxKind.BUILD:
            _build(work, row, decode_build_audience(row.query), spent)
        elif row.kind == InboxKind.CONVERT:
            _convert(work, row, decode_convert(row.query), spent)
        elif row.kind == InboxKind.FORGET:
            memberships.delete_of_audience(work.cursor, row.bucket, decode_forget_audience(row.query).audience)
        else:
            _backfill(work, row, decode_backfill(row.query), spent)
        spent.rows += PAGE // 50  # an empty page costs something too
        done.append(row)
    work.evaluate(lambda evaluation: evaluation.of_tasks(spent.tasks()))
    return done


def _build(work: Work, row: Row, build: BuildAudience, spent: Spent) -> None:
    """One page of users, for an audience and for those that ask about it."""
    audience = work.catalogue.audiences.by_id.get(build.audience)
    if audience is None or audience.version != build.version:
        return
    after = FIRST if build.after is None else UUID(build.after)
    if audience.rule is None:
        last = _ask_page(work, audience, row.bucket, after, spent)
    else:
        page = bulk_builds.build(work, audience, row.bucket, after)
        last = None if page.is_last else page.upto
    if last is not None:
        work.send(row.bucket, InboxKind.BUILD, BuildAudience(build.audience, build.version, str(last)))
    else:
        memberships.mark_built(work.cursor, row.bucket, build.audience, build.version)


def _ask_page(work: Work, audience: CompiledAudience, bucket: int, after: UUID, spent: Spent) -> UUID | None:
    """Have a page of profiles looked at; answers where the next one begins after."""
    page = page_of_profiles(work.cursor, bucket, audience.customer, after, PAGE)
    asked = (audience, *work.catalogue.audiences.asking(audience))
    for profile in page:
        if profile.eligible:
            spent.ask(profile, asked)
    spent.rows += len(page)
    return page[-1].user_id if len(page) == PAGE else None


def _convert(work: Work, row: Row, convert: Convert, spent: Spent) -> None:
    """Bring one page of profiles to the types that attributes have now, and ask the audiences that this concerns."""
    after = FIRST if convert.after is None else UUID(convert.after)
    page = page_of_profiles(work.cursor, row.bucket, convert.customer, after, PAGE)
    converted = []
    for state in page:
        profile = spent.profiles.setdefault((state.customer, state.user_id), state)
        names = work.catalogue.conversions.convert_kept(convert.customer, profile.attributes)
        if names:
            converted.append(profile)
            if profile.eligible:
                dependencies = frozenset(f"attribute.{name}" for name in names)
                spent.ask(profile, work.catalogue.audiences.affected(convert.customer, dependencies).audiences)
    save_profiles(work.cursor, converted, work.now)
    spent.rows += len(page)
    if len(page) == PAGE:
        work.send(row.bucket, InboxKind.CONVERT, Convert(customer=convert.customer, after=str(page[-1].user_id)))


def _backfill(work: Work, row: Row, backfill: Backfill, spent: Spent) -> None:
    """Want one page of members for an activation."""
    known = work.catalogue.activations.by_id.get(backfill.activation)
    if known is None:
        return
    audience, platform = known
    after = FIRST if backfill.after is None else UUID(backfill.after)
    page = memberships.page_of_members(work.cursor, row.bucket, audience, after, PAGE)
    found = mappings.of_users(work.cursor, {(customer, user) for user, customer, _ in page})
    for user, customer, version in page:
        for mapping in found[customer, user]:
            if mapping.platform == platform:
                work.want(mapping, backfill.activation, True, version)
        work.introduce(customer, user, platform, found)
    spent.rows += len(page)
    if len(page) == PAGE:
        work.send(row.bucket, InboxKind.BACKFILL, Backfill(backfill.activation, str(page[-1][0])))
    else:
        backfills.done(work.cursor, row.bucket, backfill.activation)
