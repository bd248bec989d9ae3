"""The people of a batch: profiles, identities, who was erased, and who was merged; loaded, changed, saved together.

Handlers change the states that they are given; each class saves what has changed. Buckets are not locked here.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Cursor

from activation.stores import desired_state
from core import buckets, user_ids
from core.clock import milliseconds
from profiles import erased, identities, merges, user_counts
from profiles import store as profiles
from profiles.erased import Mark
from profiles.identities import IdentityKey, IdentityState
from profiles.merges import MergeRecord, SharedIdKey
from profiles.messages import MergeCause
from profiles.state import USER_KEY, ProfileState
from profiles.store import ProfileKey


class BatchErasures:
    """Which ids were erased, and when; and the platforms' ids that the users who are erased now had once."""

    __slots__ = ("_cursor", "_had", "_marks", "_new")

    def __init__(self, cursor: Cursor[Any]) -> None:
        self._cursor = cursor
        self._marks: dict[IdentityKey, Mark] = {}
        self._new: dict[IdentityKey, Mark] = {}
        self._had: dict[ProfileKey, set[tuple[str, str]]] = defaultdict(set)

    def load(self, keys: Collection[IdentityKey]) -> None:
        self._marks = {**self._marks, **erased.load(self._cursor, keys), **self._new}

    @property
    def is_empty(self) -> bool:
        """Whether none of the ids that were loaded was erased."""
        return not self._marks

    def covering(self, key: IdentityKey, accepted: datetime) -> Mark | None:
        """Returns the mark of the id's user if it was erased after a row was accepted. The ids must be in `Needs`."""
        mark = self._marks.get(key)
        return mark if mark is not None and accepted <= mark.at else None

    def latest(self, key: IdentityKey) -> Mark | None:
        """Returns the mark of the id, however old. The ids must be in `Needs`."""
        return self._marks.get(key)

    def login_of(self, browser: ProfileState, accepted: datetime) -> str:
        """Returns the customer's user who is logged in with the browser; empty, from now on, if erased since.

        What was accepted before the erasure is of the erased user, who is returned for it.
        """
        mark = self.latest((browser.customer, USER_KEY, browser.login)) if browser.login else None
        if mark is not None and browser.login_at <= milliseconds(mark.at) and accepted > mark.at:
            browser.log_out()
        return browser.login

    def add(self, key: IdentityKey, mark: Mark) -> None:
        """Remember the erasure: rows about the id that were accepted up to then are dropped. Its bucket is held."""
        self._marks[key] = self._new[key] = erased.later(mark, self._marks.get(key))

    def load_platform_ids(self, users: Collection[ProfileKey]) -> None:
        """Load which ids of platforms these users had, whoever has them now: from deliveries, and ids given up."""
        if not users:
            return
        asked = sorted({user for _, user in users})
        for customer, user, platform, value in desired_state.ids_of(self._cursor, asked):
            self._had[customer, user].add((f"{identities.PLATFORM}{platform}", value))
        for customer, user, kind, value in identities.given_up_by(self._cursor, asked):
            self._had[customer, user].add((kind, value))

    def had(self, customer: int, user: UUID) -> set[tuple[str, str]]:
        """Returns the (kind, value)s of the platforms' ids that the user had. The user must be in `Needs.leaving`."""
        return self._had[customer, user]

    def save(self) -> None:
        erased.remember(self._cursor, self._new)


class BatchIdentities:
    """Whom the ids of the batch name."""

    __slots__ = ("_cursor", "_epochs", "_erased", "_forgotten", "_states")

    def __init__(self, cursor: Cursor[Any]) -> None:
        self._cursor = cursor
        self._states: dict[IdentityKey, IdentityState] = {}
        self._erased: set[IdentityKey] = set()
        self._epochs: dict[IdentityKey, int] = {}
        self._forgotten: dict[IdentityKey, int] = {}

    def load(self, keys: Collection[IdentityKey]) -> None:
        """Load the identities; of platforms' ids that are new, also the epoch in which they were forgotten once."""
        self._states.update(identities.load(self._cursor, keys))
        new = [key for key in keys if key not in self._states and key[1].startswith(identities.PLATFORM)]
        self._epochs.update(erased.load_epochs(self._cursor, new))

    def get(self, customer: int, kind: str, value: str) -> IdentityState | None:
        """Returns the identity, or None where the id is new. Ids must be in `Needs`."""
        return self._states.get((customer, kind, value))

    def create(self, customer: int, kind: str, value: str, user_id: UUID) -> IdentityState:
        """The id names this user from now on. Its epoch goes on where it was forgotten."""
        identity = IdentityState(user_id, self._epochs.get((customer, kind, value), 0), dirty=True)
        self._states[customer, kind, value] = identity
        return identity

    def is_later(self, key: IdentityKey, accepted: datetime) -> bool:
        """Whether the id got its owner by what was accepted after that moment. Reads the database."""
        identity = self._states[key]
        since = identity.since if identity.dirty and identity.since else identities.owned_since(self._cursor, key)
        return since is not None and since > accepted

    def holder(self, key: IdentityKey) -> UUID | None:
        """Returns whose the id is, or whose it was until it was given up. Reads the database in that case."""
        identity = self._states.get(key)
        if identity is None:
            return None
        if identity.user_id is not None or identity.dirty:
            return identity.user_id or identity.former
        return identities.former_owner(self._cursor, key)

    def erase(self, key: IdentityKey) -> None:
        """Delete the id, and keep its epoch: a later owner must not be taken for a former one."""
        self._erased.add(key)
        identity = self._states.pop(key, None)
        if identity is not None and identity.epoch:
            self._epochs[key] = self._forgotten[key] = identity.epoch

    def delete_erased(self, now: datetime) -> None:
        identities.erase(self._cursor, self._erased)
        erased.remember_epochs(self._cursor, self._forgotten, now)

    def save(self, now: datetime) -> None:
        changed = [(key, state) for key, state in self._states.items() if state.dirty]
        identities.save(self._cursor, changed, now)


class BatchProfiles:
    """The profiles of the batch, whose buckets are held. `created` and `erased` are those of this batch."""

    __slots__ = ("_cursor", "_erasures", "_looked_for", "_opted_out", "_states", "created", "erased")

    def __init__(self, cursor: Cursor[Any], erasures: BatchErasures) -> None:
        self._cursor = cursor
        self._erasures = erasures
        self._states: dict[ProfileKey, ProfileState] = {}
        self._opted_out: set[UUID] = set()
        self._looked_for: set[ProfileKey] = set()
        self.created: set[ProfileKey] = set()
        self.erased: list[ProfileState] = []

    def __contains__(self, key: ProfileKey) -> bool:
        return key in self._states

    @property
    def new_users(self) -> Collection[ProfileKey]:
        """The created ones of whom nothing is stored. Who was erased in this batch, and came again, is none of them."""
        return self.created - {_key(profile) for profile in self.erased}

    def loaded(self) -> Collection[ProfileState]:
        return self._states.values()

    def load(self, keys: Collection[ProfileKey]) -> dict[ProfileKey, ProfileState]:
        """Load the profiles; of those that do not exist, whether their users have opted out or were erased."""
        found = profiles.load_profiles(self._cursor, keys)
        self._states.update(found)
        unknown = [key for key in keys if key not in found]
        self._opted_out |= profiles.opted_out(self._cursor, {user for _, user in unknown})
        self._erasures.load({(customer, erased.USER, str(user)) for customer, user in unknown})
        self._looked_for.update(keys)
        return found

    def get(self, customer: int, user_id: UUID) -> ProfileState | None:
        """Returns the profile, or None where there is none. The caller holds its bucket.

        Reads the database where an earlier row of this batch was the first to name the user.
        """
        key = (customer, user_id)
        if key not in self._states and key not in self._looked_for:
            self.load([key])
        return self._states.get(key)

    def survivor_of(self, profile: ProfileState) -> ProfileState | UUID:
        """Returns the profile into which this one was merged at last, or itself.

        Where that is in a bucket out of reach, returns the user id of the next profile on the way to it. Raises
        `ValueError` for a circle, which only a fault can make.
        """
        passed: set[UUID] = set()
        while profile.merged_into is not None:
            passed.add(profile.user_id)
            following = self._states.get((profile.customer, profile.merged_into))
            if following is None:
                return profile.merged_into
            if following.user_id in passed:
                raise ValueError("profiles were merged in a circle")
            profile = following
        return profile

    def seen_since(self, profile: ProfileState, moment: datetime) -> bool:
        """Whether an earlier batch has seen the user after that moment."""
        return profiles.seen_since(self._cursor, profile, moment)

    def buckets_logged_in(self, customer: int, key: str) -> set[int]:
        """Returns the buckets of others' browsers with which this user of the customer is logged in."""
        return profiles.buckets_logged_in(self._cursor, customer, [key])

    def log_out(self, bucket: int, customer: int, key: str, upto: datetime) -> None:
        """Forget in the bucket, which is held, that this user of the customer has logged in up to then."""
        for state in self._states.values():
            if (state.customer, state.login) == (customer, key) and state.login_at <= milliseconds(upto):
                dirty = state.dirty
                state.log_out()
                state.dirty = dirty  # else it is written below: that does not count as having been seen
                state.stored = None  # the row is changed below
        profiles.log_out(self._cursor, bucket, customer, [key], upto)

    def of_user(self, user_id: UUID, customers: Iterable[int]) -> list[ProfileState]:
        """Returns the user's profiles with these customers."""
        keys = {(customer, user_id) for customer in customers}
        self.load(keys - self._states.keys() - self._looked_for)  # not those that the batch has erased
        return [self._states[key] for key in sorted(keys & self._states.keys())]

    def create(self, customer: int, user_id: UUID, created_at: int) -> ProfileState:
        """Create the profile. `created_at` is in unix milliseconds."""
        state = ProfileState(buckets.of_user(user_id), customer, user_id, created_at, dirty=True, reconsider=True)
        self._states[customer, user_id] = state
        self.created.add((customer, user_id))
        return state

    def new_user_id(self, customer: int, bucket: int) -> UUID:
        """Returns an id that nobody has had, in this bucket: `get` will not look for its profile."""
        user_id = user_ids.new(bucket)
        self._looked_for.add((customer, user_id))
        return user_id

    def has_opted_out(self, profile: ProfileState | None, user_id: UUID) -> bool:
        """Returns whether the user has opted out. `profile` is what `get` returned for the user."""
        return user_id in self._opted_out if profile is None else profile.opted_out

    def opt_out(self, user_id: UUID, now: datetime) -> None:
        """Remember the choice, for all customers."""
        profiles.opt_out(self._cursor, user_id, now)

    def opt_in(self, user_id: UUID) -> None:
        profiles.opt_in(self._cursor, user_id)

    def erase(self, profile: ProfileState) -> None:
        """Delete the profile in this batch and hide it from later handlers."""
        key = (profile.customer, profile.user_id)
        self.erased.append(profile)
        self._states.pop(key, None)
        self._looked_for.add(key)

    def save(self, now: datetime) -> None:
        """Delete the erased ones, save the changed ones, and count the users that each customer knows."""
        profiles.erase_profiles(self._cursor, self.erased)
        changed = [state for state in self._states.values() if state.dirty]
        profiles.save_profiles(self._cursor, changed, now)
        user_counts.count(self._cursor, [*changed, *self.erased])


class BatchMerges:
    """Why profiles are what they are: merges, and ids that a full profile did not take."""

    __slots__ = ("_cursor", "_merges", "_shared_ids")

    def __init__(self, cursor: Cursor[Any]) -> None:
        self._cursor = cursor
        self._merges: list[MergeRecord] = []
        self._shared_ids: Counter[SharedIdKey] = Counter()

    def note(self, winner: ProfileState, loser: UUID, cause: MergeCause, at: int) -> None:
        """The winner has taken in, at `at` (unix ms), what the loser held."""
        self._merges.append(MergeRecord(winner.bucket, winner.customer, winner.user_id, loser, cause, at))

    def note_shared_id(self, customer: int, user_id: UUID, kind: str, value: str) -> None:
        """The user has no room for the id, or for what it would bring."""
        self._shared_ids[SharedIdKey(buckets.of_user(user_id), customer, user_id, kind, value)] += 1

    def losers_of(self, winner: ProfileState) -> list[UUID]:
        """Returns the users who were merged into the winner before this batch."""
        return merges.losers_of(self._cursor, winner)

    def buckets_with_shared_id(self, customer: int, kind: str, value: str) -> set[int]:
        """Returns the buckets of users who had no room for this id, as far as it is saved."""
        return merges.buckets_with_shared_id(self._cursor, customer, kind, value)

    def forget_shared_id(self, bucket: int, customer: int, kind: str, value: str) -> None:
        """Forget in the bucket, which is held, that users had no room for this id."""
        for key in [key for key in self._shared_ids if (*key[:2], *key[3:]) == (bucket, customer, kind, value)]:
            del self._shared_ids[key]
        merges.forget_shared_id(self._cursor, bucket, customer, kind, value)

    def forget_cause(self, winner: ProfileState, kind: str, value: str) -> None:
        """Forget that this id was the cause of merges into the winner."""
        merges.forget_cause(self._cursor, winner, kind, value)

    def delete_of(self, erased_profiles: Collection[ProfileState]) -> None:
        """Delete what is kept of the merges of these users. What the batch has noted is of who came again."""
        merges.erase(self._cursor, erased_profiles)

    def save(self, now: datetime) -> None:
        merges.save_merges(self._cursor, self._merges)
        merges.save_shared_ids(self._cursor, self._shared_ids, now)


def _key(profile: ProfileState) -> ProfileKey:
    return profile.customer, profile.user_id
