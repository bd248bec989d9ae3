"""Decides who enters and who leaves: evaluates the audiences that changed profiles concern, and no others."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import Cursor

from audiences import lists, store
from audiences.catalogue import AudienceCatalogue
from audiences.compiled import CompiledAudience, Selection
from audiences.store import MembershipsByUser, MembershipState, UserMemberships
from core.clock import milliseconds, moment
from profiles.state import NOTHING, ProfileState
from usersync import store as mappings


class Flip(NamedTuple):
    """A user who entered (`member`) or left an audience, for the `version`-th time."""

    customer: int
    user: UUID
    audience: int
    member: bool
    version: int


EvaluationTask = tuple[ProfileState, Selection]


def group_into_tasks(asked: Iterable[tuple[ProfileState, Mapping[int, CompiledAudience]]]) -> list[EvaluationTask]:
    """Returns a task for each profile, with the audiences, by id, that are to be evaluated for it."""
    selections: dict[frozenset[int], Selection] = {}
    tasks = []
    for profile, audiences in asked:
        key = frozenset(audiences)
        if key not in selections:
            selections[key] = Selection(sorted(audiences.values(), key=lambda audience: audience.rank))
        tasks.append((profile, selections[key]))
    return tasks


class Evaluation:
    """One pass over some profiles, all evaluated for the same moment `now`. Loads and saves memberships by `cursor`."""

    def __init__(self, cursor: Cursor[Any], audiences: AudienceCatalogue, now: datetime) -> None:
        self._cursor = cursor
        self._audiences = audiences
        self._now = now
        self._now_ms = milliseconds(now)
        self._memberships: MembershipsByUser = {}
        self._moves: dict[tuple[int, int], list[int]] = defaultdict(lambda: [0, 0])
        self.flips: list[Flip] = []

    def of_changes(self, profiles: Iterable[ProfileState]) -> None:
        """Evaluate, for each profile, the audiences that depend on what changed in it."""
        self.of_tasks([(profile, self._concerned(profile)) for profile in profiles if profile.eligible])

    def of_tasks(self, tasks: Iterable[EvaluationTask]) -> None:
        """Evaluate these audiences for these profiles, and save the memberships that changed."""
        tasks = [task for task in tasks if task[1].audiences]
        self._load(tasks)
        for profile, selection in tasks:
            held = self._memberships.setdefault(profile.user_id, {})
            noted = [key for key, state in held.items() if state.member or state.look_again_at is not None]
            for audience in selection.in_question(profile, noted):
                self._decide(profile, audience, held)
        store.save(self._cursor, self._memberships)
        store.count_moves(self._cursor, self._moves)

    def _concerned(self, profile: ProfileState) -> Selection:
        if profile.reconsider:
            return self._audiences.all_of(profile.customer)
        return self._audiences.affected(profile.customer, frozenset(profile.changed))

    def _load(self, tasks: Sequence[EvaluationTask]) -> None:
        distinct = {selection for _, selection in tasks}
        asked = frozenset().union(*(selection.ids for selection in distinct))
        self._memberships = store.load(self._cursor, [profile.user_id for profile, _ in tasks], asked)
        users = {(p.customer, p.user_id): p for p, selection in tasks if selection.asks_platforms}
        known = mappings.of_users(self._cursor, users)
        for profile, _ in tasks:
            held = self._memberships.get(profile.user_id)
            profile.audiences = {key for key, state in held.items() if state.member} if held else NOTHING
        for key, profile in users.items():
            profile.platforms = {m.platform for m in known[key]}
        on_lists = [profile for profile, selection in tasks if selection.asks_lists]
        found = lists.of_users(self._cursor, [profile.user_id for profile in on_lists])
        for profile in on_lists:
            profile.lists = found.get(profile.user_id, NOTHING)

    def _decide(self, profile: ProfileState, audience: CompiledAudience, held: UserMemberships) -> None:
        member, until_ms = audience.predicate(profile, self._now_ms)
        until = None if until_ms is None else moment(until_ms)
        state = held.get(audience.id)
        if state is None:
            if not member and until is None:
                return
            state = held[audience.id] = MembershipState(profile.customer, False, self._now, 0, until, dirty=True)
        if state.member != member:
            self._flip(profile, audience.id, state, member)
        if self._sooner(until, state.look_again_at):
            state.look_again_at, state.dirty = until, True

    def _sooner(self, until: datetime | None, stored: datetime | None) -> bool:
        """Returns whether the stored moment has to change. A later one is not written: looking early is harmless."""
        if stored is None or stored <= self._now:
            return until != stored
        return until is not None and until < stored

    def _flip(self, profile: ProfileState, audience: int, state: MembershipState, member: bool) -> None:
        state.member, state.since, state.dirty = member, self._now, True
        state.version += 1
        self._moves[profile.bucket, audience][0 if member else 1] += 1
        if member:
            profile.audiences = {*profile.audiences, audience}
        else:
            profile.audiences = {*profile.audiences} - {audience}
        self.flips.append(Flip(profile.customer, profile.user_id, audience, member, state.version))
