"""Builds in whole pages: a range of a bucket's users in one statement, and what follows in the same transaction."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from psycopg import Cursor

from audiences import building
from audiences import store as memberships
from audiences.building import BuildPage, BuildResult
from audiences.compiled import CompiledAudience, Selection
from audiences.evaluation import EvaluationTask, Flip
from pipeline.absorb.desired_state import DesiredState
from pipeline.absorb.memberships import BatchMemberships
from pipeline.catalogue import Catalogue
from profiles import store as profiles

PAGE = 10_000  # users a statement; a bucket of a few million users is one page


class BuildScope(Protocol):
    """What a build may read and change."""

    cursor: Cursor[Any]
    now: datetime
    catalogue: Catalogue
    memberships: BatchMemberships
    desired: DesiredState


def build(unit: BuildScope, audience: CompiledAudience, bucket: int, after: UUID) -> BuildPage:
    """Build the users after `after`, and the audiences that ask about this one; returns how far it came."""
    page = building.next_page(unit.cursor, bucket, audience.customer, after, PAGE)
    if page.is_empty:
        return page
    asking = unit.catalogue.audiences.asking(audience)
    named = bool(asking) or audience.id in unit.catalogue.activations.of(audience.customer).by_audience
    built = building.build_page(unit.cursor, audience, page, unit.now, named=named)
    _count(unit.cursor, bucket, audience, built)
    unit.desired.want_flips(built.flips)
    if built.flips:
        _follow(unit, bucket, asking, built.flips)
    return page


def _follow(unit: BuildScope, bucket: int, asking: Sequence[CompiledAudience], flips: Iterable[Flip]) -> None:
    """Those that ask, in order of rank, for the users who flipped in what they ask about."""
    flipped: dict[int, set[UUID]] = defaultdict(set)
    _note(flipped, flips)
    for audience in asking:
        users = set().union(*(flipped[asked] for asked in audience.audiences & flipped.keys()))
        if not users:
            continue
        if audience.rule is None:
            _note(flipped, _one_by_one(unit, audience, users))
            continue
        built = building.build_users(unit.cursor, audience, bucket, list(users), unit.now)
        _count(unit.cursor, bucket, audience, built)
        unit.desired.want_flips(built.flips)
        _note(flipped, built.flips)


def _one_by_one(unit: BuildScope, audience: CompiledAudience, users: set[UUID]) -> Sequence[Flip]:
    """By the predicate, where there is no rule that SQL could read."""
    states = profiles.load_profiles(unit.cursor, {(audience.customer, user) for user in users}).values()
    selection = Selection((audience,))
    tasks: list[EvaluationTask] = [(state, selection) for state in states if state.eligible]
    return unit.memberships.evaluate(lambda evaluation: evaluation.of_tasks(tasks))


def _note(flipped: dict[int, set[UUID]], flips: Iterable[Flip]) -> None:
    for flip in flips:
        flipped[flip.audience].add(flip.user)


def _count(cursor: Cursor[Any], bucket: int, audience: CompiledAudience, built: BuildResult) -> None:
    memberships.count_moves(cursor, {(bucket, audience.id): (built.entered, built.left)})
