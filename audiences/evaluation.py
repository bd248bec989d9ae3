"""Who enters and who leaves: the affected audiences of changed profiles, and nothing else."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Cursor

from audiences import store
from audiences.catalogue import Audiences, CompiledAudience
from audiences.store import MembershipState
from profiles.state import NOTHING, ProfileState
from profiles.store import milliseconds, moment
from usersync import store as mappings


@dataclass(frozen=True, slots=True)
class Flip:
    """A user who entered (`member`) or left an audience, for the `version`-th time."""

    customer: int
    user: UUID
    audience: int
    member: bool
    version: int


Task = tuple[ProfileState, Sequence[CompiledAudience]]


class Evaluation:
    """One pass over some profiles; `now` is its one moment."""

    def __init__(self, cursor: Cursor[Any], audiences: Audiences, now: datetime) -> None:
        self._cursor = cursor
        self._audiences = audiences
        self._now = now
        self._now_ms = milliseconds(now)
        self._states: dict[tuple[int, UUID], MembershipState] = {}
        self._moves: dict[tuple[int, int], list[int]] = defaultdict(lambda: [0, 0])
        self.flips: list[Flip] = []

    def of_changes(self, profiles: Iterable[ProfileState]) -> None:
        """Evaluate, for each profile, the audiences that what changed in it can matter to."""
        self.of_tasks([(profile, self._concerned(profile)) for profile in profiles if profile.eligible])

    def of_tasks(self, tasks: list[Task]) -> None:
        """Evaluate these audiences (in order of rank) for these profiles, and save what came of it."""
        tasks = [task for task in tasks if task[1]]
        self._load(tasks)
        for profile, audiences in tasks:
            for audience in audiences:
                self._decide(profile, audience)
        store.save(self._cursor, self._states)
        store.count(self._cursor, self._moves)

    def _concerned(self, profile: ProfileState) -> Sequence[CompiledAudience]:
        if profile.reconsider:
            return self._audiences.by_customer.get(profile.customer, ())
        return self._audiences.affected(profile.customer, frozenset(profile.changed))

    def _load(self, tasks: list[Task]) -> None:
        distinct = {id(audiences): audiences for _, audiences in tasks}.values()
        asked = {number for audiences in distinct for a in audiences for number in (a.id, *a.audiences)}
        self._states = store.load(self._cursor, [profile.user_id for profile, _ in tasks], asked)
        members: dict[UUID, set[int]] = defaultdict(set)
        for (audience_id, user), state in self._states.items():
            if state.member:
                members[user].add(audience_id)
        asking = {id(audiences) for audiences in distinct if any(a.asks_platforms for a in audiences)}
        users = {(p.customer, p.user_id): p for p, audiences in tasks if id(audiences) in asking}
        known = mappings.of_users(self._cursor, users)
        for profile, _ in tasks:
            profile.audiences = members.get(profile.user_id, NOTHING)
        for key, profile in users.items():
            profile.platforms = {m.platform for m in known[key]}

    def _decide(self, profile: ProfileState, audience: CompiledAudience) -> None:
        member, until_ms = audience.predicate(profile, self._now_ms)
        until = None if until_ms is None else moment(until_ms)
        key = (audience.id, profile.user_id)
        state = self._states.get(key)
        if state is None:
            if not member and until is None:
                return
            state = self._states[key] = MembershipState(profile.customer, False, self._now, 0, until, dirty=True)
        if state.member != member:
            self._flip(profile, audience.id, state, member)
        if self._sooner(until, state.look_again_at):
            state.look_again_at, state.dirty = until, True

    def _sooner(self, until: datetime | None, stored: datetime | None) -> bool:
        """Whether the stored moment has to change: a later one need not be written, looking early is harmless."""
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
