"""Ids that suddenly name very many browsers: no merges and moves by them until a person has judged them.

It is decided in the bucket of the id's value, where every browser that has the id for the first time arrives with a
link, or with the first event that moves it. A link waits there as the row that it was. An event that would move its
browser stays with the browser: the browser moves with its next event, once the id is judged to be good.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

import msgspec
from django.conf import settings
from psycopg import Cursor

from core import buckets
from core.inbox import InboxKind
from core.limits import SuspectLimits
from core.messages import Event
from pipeline.absorb.loader import Needs
from pipeline.absorb.outbox import Outbox
from pipeline.absorb.people import BatchIdentities, BatchProfiles
from pipeline.absorb.rows import InboxRow
from profiles import suspects
from profiles.identities import IdentityKey
from profiles.messages import DropId, JudgeId, LinkIdentity
from profiles.state import USER_KEY
from profiles.suspects import BAD, GOOD, KeptLink, Watch, trace_of

PAGE = 500


class BatchSuspects:
    """The ids of the batch that have named more than one browser, and what waits for them."""

    __slots__ = ("_cursor", "_kept", "_limits", "_now", "_watches")

    def __init__(self, cursor: Cursor[Any], now: datetime) -> None:
        self._cursor = cursor
        self._now = now
        self._limits: SuspectLimits = settings.ENVIRONMENT.suspect_limits
        self._watches: dict[IdentityKey, Watch] = {}
        self._kept: list[KeptLink] = []

    def load(self, keys: Collection[IdentityKey]) -> None:
        self._watches.update(suspects.load(self._cursor, keys))

    def get(self, key: IdentityKey) -> Watch | None:
        """Returns what is known of the id; None if it is new. The id must be in `Needs.watched`."""
        return self._watches.get(key)

    def first(self, key: IdentityKey, browser: str, at: int) -> None:
        """The id is new, and names this browser. Nothing is stored before it names another one."""
        if at:
            self._watches[key] = Watch([(trace_of(browser), at)])

    def keep(self, key: IdentityKey, row: InboxRow, user: str) -> None:
        """Keep a link of this user until the id is judged."""
        self._kept.append(KeptLink(row.bucket, row.id, key, UUID(user), row.query, row.received_at))
        watch = self._watches[key]
        watch.waiting += 1
        watch.dirty = True

    def note(self, key: IdentityKey, browser: str, at: int) -> None:
        """A browser has the id. `at`: unix ms; 0 if it says nothing about how suddenly the id is used."""
        if at:
            self._watches.setdefault(key, Watch()).note(browser, at, self._limits, self._now)

    def judge(self, key: IdentityKey, verdict: str) -> None:
        watch = self._watches.setdefault(key, Watch())
        watch.verdict, watch.waiting, watch.dirty = verdict, 0, True

    def forget_waiting(self, key: IdentityKey, users: Collection[str]) -> bool:
        """Forget what waits of users who are erased. Returns whether something did."""
        gone = {UUID(user) for user in users}
        before = len(self._kept)
        self._kept = [one for one in self._kept if one.key != key or one.user not in gone]
        stored = suspects.forget_waiting(self._cursor, key, sorted(gone))
        return stored + before - len(self._kept) > 0

    def forget(self, key: IdentityKey) -> None:
        """The id is erased."""
        self._watches.pop(key, None)
        self._kept = [one for one in self._kept if one.key != key]
        suspects.forget(self._cursor, key)

    def take(self, key: IdentityKey) -> list[KeptLink]:
        """Take some of the links that waited for the id."""
        return suspects.take(self._cursor, key, PAGE)

    def save(self) -> None:
        suspects.save(self._cursor, [(key, watch) for key, watch in self._watches.items() if watch.dirty])
        suspects.keep(self._cursor, self._kept)


class SuspectScope(Protocol):
    """What the handlers of suspect ids may read and change."""

    identities: BatchIdentities
    profiles: BatchProfiles
    suspects: BatchSuspects
    outbox: Outbox


def stops_link(unit: SuspectScope, row: InboxRow, link: LinkIdentity) -> bool:
    """Whether a link must not merge two profiles: the id is judged to be nobody's, or it is suspect."""
    key = (link.customer, link.kind, link.value)
    watch = unit.suspects.get(key)
    if watch is not None and watch.verdict == BAD:
        _drop(unit.outbox, key, link.user)
        return True
    if watch is not None and watch.is_suspect and not watch.has_seen(link.user):
        unit.suspects.keep(key, row, link.user)
        return True
    unit.suspects.note(key, link.user, link.at)
    return False


def stops_move(unit: SuspectScope, row: InboxRow, event: Event) -> bool:
    """Whether a browser does not move to the user of the event's first id. Then the event is the browser's own."""
    if not event.mover or event.user is not None:
        return False
    key = (event.customer, *event.ids[0])
    watch = unit.suspects.get(key)
    if watch is None:
        return False
    if watch.verdict == BAD:
        _drop(unit.outbox, key, event.mover)
    elif not watch.is_suspect or watch.has_seen(event.mover):
        unit.suspects.note(key, event.mover, time_of(event))
        return False
    ids = [one for one in event.ids if one != key[1:]]
    stays = msgspec.structs.replace(event, user=event.mover, ids=ids, mover="", browser="", via=[], forwarded=True)
    unit.outbox.send(buckets.of_user(UUID(event.mover)), InboxKind.EVENT, stays, row.body)
    return True


def needs_judge(judge: JudgeId, needs: Needs) -> None:
    key = (judge.customer, judge.kind, judge.value)
    needs.identities.add(key)
    needs.watched.add(key)


def absorb_judge(unit: SuspectScope, row: InboxRow, judge: JudgeId) -> None:
    """In the id's bucket. Links that waited come again, page by page; or their users lose the id."""
    key = (judge.customer, judge.kind, judge.value)
    unit.suspects.judge(key, GOOD if judge.good else BAD)
    page = unit.suspects.take(key)
    if judge.good:
        unit.outbox.send_again(one.command for one in page)
    else:
        for one in page:
            _drop(unit.outbox, key, str(one.user))
        _disown(unit, key)
    if len(page) == PAGE:
        unit.outbox.send(row.bucket, InboxKind.JUDGE_ID, judge)


def _disown(unit: SuspectScope, key: IdentityKey) -> None:
    """The id names nobody any more, neither whom it named first."""
    identity = unit.identities.get(*key)
    if identity is not None and identity.user_id is not None:
        _drop(unit.outbox, key, str(identity.user_id))
        identity.give_to(None)


def _drop(outbox: Outbox, key: IdentityKey, user: str) -> None:
    message = DropId(customer=key[0], kind=key[1], value=key[2], user=user)
    outbox.send(buckets.of_user(UUID(user)), InboxKind.DROP_ID, message)


def needs_drop(drop: DropId, needs: Needs) -> None:
    needs.profiles.add((drop.customer, UUID(drop.user)))


def absorb_drop(unit: SuspectScope, row: InboxRow, drop: DropId) -> None:
    """In the user's bucket: the id is not the user's, nor the one who has logged in with this browser."""
    profile = unit.profiles.get(drop.customer, UUID(drop.user))
    if profile is None:
        return
    if profile.login == drop.value and drop.kind == USER_KEY:
        profile.log_out()
    profile.drop_id(drop.kind, drop.value)
    if profile.merged_into is not None:
        following = msgspec.structs.replace(drop, user=str(profile.merged_into))
        unit.outbox.send(buckets.of_user(profile.merged_into), InboxKind.DROP_ID, following)


def time_of(event: Event) -> int:
    """Returns when the event's browser was seen; 0 of a row of a table, which says nothing about that."""
    return 0 if event.counted else event.at
