"""Work that time alone asks for: windows of rules, ends of matches, and ids that nobody brought back.

It is part of the work of a bucket, as events are. Whoever holds the bucket's lock does a share of it: `TimedWork` finds
what is due, and `before_save` and `after_save` do it within a batch (`pipeline.absorb.batch`).
"""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from random import randrange
from typing import Any
from uuid import UUID

from psycopg import Cursor

from audiences import store as memberships
from audiences.compiled import CompiledAudience
from audiences.evaluation import group_into_tasks
from audiences.store import DueMembership
from core.buckets import BUCKETS, around, try_lock
from core.clock import milliseconds, moment
from core.low_water import LowWaterMarks
from pipeline.absorb.releases import release_of_gone, take_back
from pipeline.absorb.unit_of_work import UnitOfWork
from profiles import identities
from profiles import store as profiles
from profiles.identities import ExpiredIdentity, platform_of
from profiles.store import UnconfirmedProfile

BATCH = 500  # items a transaction
TRIES = 4  # looks at a queue whose first buckets are busy
UNCONFIRMED_KEPT = timedelta(days=1)

REST_SECONDS = 0.1  # after a look that found nothing; more where looks take long
FULL_LOOK_SECONDS = 5.0
# How far back each look goes. It covers long transactions and clocks that differ; the next full look finds the rest.
SLACK = timedelta(seconds=5)
SPREAD_MS = 1_000
POSTPONED = timedelta(hours=1)

DueItem = DueMembership | ExpiredIdentity | UnconfirmedProfile
Find = Callable[[Cursor[Any], Sequence[int], datetime, datetime, int], Sequence[DueItem]]
"""Returns up to so many items of these buckets that are due after one moment and up to another, in order of both."""


class DueQueue:
    """What is due of one kind. Looks begin at a rotating bucket, and in each bucket behind what is done.

    `delay`: an item is due this long after its moment.
    """

    __slots__ = ("_delay", "_find", "_latest", "_marks", "_start")

    def __init__(self, find: Find, delay: timedelta = timedelta(0)) -> None:
        self._find = find
        self._delay = delay
        self._marks = LowWaterMarks(SPREAD_MS)
        self._start = randrange(BUCKETS)
        self._latest = moment(0)

    def lock(self, cursor: Cursor[Any], now: datetime) -> set[int]:
        """Lock buckets in which something is due; returns as many as have about a batch of it and are free."""
        held: set[int] = set()
        left, room = set(range(BUCKETS)), BATCH
        for _ in range(TRIES):
            found = self._look(cursor, left, now, room)
            waiting = Counter(item.bucket for item in found)
            locked = try_lock(cursor, waiting) if waiting else set()
            held |= locked
            left -= waiting.keys()
            is_cut = len(found) == room
            room -= sum(waiting[bucket] for bucket in locked)
            if not is_cut or room <= 0:
                return held
            self._start = (found[-1].bucket + 1) % BUCKETS
        return held

    def take(self, cursor: Cursor[Any], held: Collection[int], now: datetime, limit: int) -> Sequence[DueItem]:
        """Returns up to `limit` items of these buckets, whose locks the caller holds."""
        found = self._look(cursor, held, now, limit)
        if found:
            self._start = (found[-1].bucket + 1) % BUCKETS
        return found

    def look_everywhere(self) -> None:
        """Let the next look find also what came late."""
        self._marks.forget()

    def _look(self, cursor: Cursor[Any], buckets: Collection[int], now: datetime, limit: int) -> list[DueItem]:
        due_up_to = now - self._delay
        if now < self._latest:
            self._marks.forget()  # the clock was put back
        self._latest = now
        items: list[DueItem] = []
        for part in around(sorted(buckets), self._start):
            for mark, run in self._marks.runs(part):
                room = limit - len(items)
                if room <= 0:
                    return items
                found = self._find(cursor, run, moment(mark), due_up_to, room)
                first: dict[int, int] = {}
                for item in found:
                    first.setdefault(item.bucket, milliseconds(item.at))
                self._marks.learn(run, first, milliseconds(due_up_to - SLACK), is_cut=len(found) == room)
                items += found
        return items


class TimedWork:
    """Finds what is due, of all kinds, over one connection. No kind keeps another waiting: they take turns."""

    __slots__ = ("_full_look_at", "_queues", "_rests_until", "_turn")

    def __init__(self) -> None:
        self._queues = [
            DueQueue(memberships.due),
            DueQueue(identities.expired),
            DueQueue(profiles.unconfirmed, UNCONFIRMED_KEPT),
        ]
        self._turn = 0
        self._rests_until = self._full_look_at = 0.0

    @property
    def is_resting(self) -> bool:
        """Whether nothing was due a moment ago."""
        return time.monotonic() < self._rests_until

    def lock(self, cursor: Cursor[Any], now: datetime) -> set[int]:
        """Lock buckets in which something is due. Returns those that are free; none where nothing is due."""
        began = time.monotonic()
        is_full = began >= self._full_look_at
        if is_full:
            self.look_everywhere()
        held: set[int] = set()
        for queue in self._in_turn():
            held = queue.lock(cursor, now)
            if held:
                break
        took = time.monotonic() - began
        if is_full:
            self._full_look_at = began + max(FULL_LOOK_SECONDS, 20 * took)
        if not held:
            self._rests_until = began + max(REST_SECONDS, 5 * took)
        return held

    def take(self, cursor: Cursor[Any], held: Collection[int], now: datetime, limit: int) -> list[DueItem]:
        """Returns up to `limit` items that are due in these buckets, whose locks the caller holds."""
        began = time.monotonic()
        items: list[DueItem] = []
        for queue in self._in_turn():
            if len(items) < limit:
                items += queue.take(cursor, held, now, limit - len(items))
        self._turn += 1
        if not items:
            self._rests_until = began + max(REST_SECONDS, 5 * (time.monotonic() - began))
        return items

    def look_everywhere(self) -> None:
        """Let the next looks find also what came late. This is done every few seconds anyway."""
        for queue in self._queues:
            queue.look_everywhere()

    def _in_turn(self) -> list[DueQueue]:
        first = self._turn % len(self._queues)
        return self._queues[first:] + self._queues[:first]


def before_save(unit: UnitOfWork, due: Sequence[DueItem]) -> None:
    """Take back platforms' ids whose time has run out, except those that the batch has renewed.

    This is done in the buckets of the ids, which know the owners. The batch must have loaded the ids.
    """
    for item in due:
        if isinstance(item, ExpiredIdentity):
            identity = unit.identities.get(*item.key)
            platform = platform_of(item.kind)
            assert platform is not None, item.kind  # only platforms' ids end
            if identity is not None and identity.expires_at is not None and identity.expires_at <= unit.now:
                take_back(unit, item.customer, platform, item.value)


def after_save(unit: UnitOfWork, due: Sequence[DueItem]) -> None:
    """Look again at memberships, and delete profiles whose ids did not come back within a day.

    Browsers without cookies leave such a profile at every visit. They are in no audience, and on no platform but by a
    mail link that nobody else has followed.
    """
    _look_again(unit, [item for item in due if isinstance(item, DueMembership)])
    gone = profiles.erase_unconfirmed(unit.cursor, [item for item in due if isinstance(item, UnconfirmedProfile)])
    if gone:
        unit.claims.forget(gone)
        release_of_gone(unit, gone)


def _look_again(unit: UnitOfWork, due: Sequence[DueMembership]) -> None:
    states = profiles.load_profiles(unit.cursor, {(item.customer, item.user) for item in due})
    asked: dict[tuple[int, UUID], dict[int, CompiledAudience]] = defaultdict(dict)
    settled = set()
    for item in due:
        audience = unit.catalogue.audiences.get(item.audience)
        state = states.get((item.customer, item.user))
        if audience is None or state is None or not state.eligible:
            settled.add((item.bucket, item.audience, item.user))
        else:
            asking = unit.catalogue.audiences.asking(audience)
            asked[item.customer, item.user] |= {one.id: one for one in (audience, *asking)}
    memberships.look_again(unit.cursor, settled, None)
    tasks = group_into_tasks((states[key], audiences) for key, audiences in asked.items())
    if tasks:
        unit.memberships.evaluate(lambda evaluation: evaluation.of_tasks(tasks))


def postpone(cursor: Cursor[Any], due: Sequence[DueItem], now: datetime) -> None:
    """Have items that cannot be done tried again later. The caller holds their buckets."""
    later = now + POSTPONED
    again = [(item.bucket, item.audience, item.user) for item in due if isinstance(item, DueMembership)]
    memberships.look_again(cursor, again, later)
    identities.postpone(cursor, [item.key for item in due if isinstance(item, ExpiredIdentity)], later)
