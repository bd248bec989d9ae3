"""Builds in sets: a range of a bucket's users in one statement, and what follows from it in the same transaction."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from uuid import UUID

from audiences import building
from audiences import store as memberships
from audiences.building import BuildPage, BuildResult
from audiences.catalogue import CompiledAudience, Selection
from audiences.evaluation import EvaluationTask, Flip
from pipeline.absorb.unit_of_work import Work
from profiles import store as profiles

PAGE = 10_000  # users a statement; a bucket of a few million users is one page


def build(work: Work, audience: CompiledAudience, bucket: int, after: UUID) -> BuildPage:
    """Build the users that come next, and let the audiences that ask about this one follow."""
    page = building.next_page(work.cursor, bucket, audience.customer, after, PAGE)
    asking = work.catalogue.audiences.asking(audience)
    named = bool(asking) or audience.id in work.catalogue.activations.by_audience
    built = building.build_page(work.cursor, audience, page, work.now, named=named)
    _count(work, bucket, audience, built)
    work.want_for_flips(built.flips)
    if built.flips:
        _follow(work, bucket, asking, built.flips)
    return page


def _follow(work: Work, bucket: int, asking: Sequence[CompiledAudience], flips: Iterable[Flip]) -> None:
    """Those that ask, in order of rank, for the users who flipped in what they ask about."""
    flipped: dict[int, set[UUID]] = defaultdict(set)
    _note(flipped, flips)
    for audience in asking:
        users = set().union(*(flipped[asked] for asked in audience.audiences & flipped.keys()))
        if not users:
            continue
        if audience.rule is None:
            _note(flipped, _one_by_one(work, audience, users))
            continue
        built = building.build_users(work.cursor, audience, bucket, list(users), work.now)
        _count(work, bucket, audience, built)
        work.want_for_flips(built.flips)
        _note(flipped, built.flips)


def _one_by_one(work: Work, audience: CompiledAudience, users: set[UUID]) -> Sequence[Flip]:
    """By the predicate, where there is no rule that SQL could read."""
    states = profiles.load_profiles(work.cursor, {(audience.customer, user) for user in users}).values()
    selection = Selection((audience,))
    tasks: list[EvaluationTask] = [(state, selection) for state in states if state.eligible]
    return work.evaluate(lambda evaluation: evaluation.of_tasks(tasks))


def _note(flipped: dict[int, set[UUID]], flips: Iterable[Flip]) -> None:
    for flip in flips:
        flipped[flip.audience].add(flip.user)


def _count(work: Work, bucket: int, audience: CompiledAudience, built: BuildResult) -> None:
    memberships.count_moves(work.cursor, {(bucket, audience.id): (built.entered, built.left)})
