"""What a batch has loaded: identities, profiles, and who was erased or wants not to be known."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Cursor

from core import buckets
from core.buckets import try_lock
from profiles import erased, identities
from profiles import store as profiles
from profiles.identities import IdentityKey, IdentityState
from profiles.state import ProfileState
from profiles.store import ProfileKey


@dataclass(slots=True)
class Needs:
    """What a batch will look at; of `owners` the profiles that they name, too. Of `named` ids only whether they were
    erased."""

    profiles: set[ProfileKey] = field(default_factory=set)
    identities: set[IdentityKey] = field(default_factory=set)
    owners: set[IdentityKey] = field(default_factory=set)
    named: set[IdentityKey] = field(default_factory=set)


class Loaded:
    """Of a batch under way, whose caller holds the locks of `held`."""

    def __init__(self, cursor: Cursor[Any], held: set[int]) -> None:
        self.cursor = cursor
        self.held = held
        self._profiles: dict[ProfileKey, ProfileState] = {}
        self._identities: dict[IdentityKey, IdentityState] = {}
        self._opted_out: set[UUID] = set()
        self._looked_for: set[ProfileKey] = set()
        self._erased: dict[IdentityKey, datetime] = {}
        self._busy: set[int] = set()

    def load(self, needs: Needs) -> None:
        """Load identities, then the profiles that are needed: those that identities name, and survivors of merges.

        Their buckets are locked too where they are free, so that most effects need not travel. Nothing
        here looks at the configuration, which has to be read after the last lock.
        """
        self._identities.update(identities.load(self.cursor, needs.identities | needs.owners))
        self._erased.update(erased.load(self.cursor, needs.named | needs.owners))
        owners = (self._identities.get(key) for key in needs.owners)
        named = {
            (key[0], owner.user_id)
            for key, owner in zip(needs.owners, owners, strict=True)
            if owner is not None and owner.user_id is not None
        }
        wanted = needs.profiles | self._reach(named)
        while wanted:
            found = self._look_for(wanted)
            survivors = {(key[0], state.merged_into) for key, state in found.items() if state.merged_into is not None}
            wanted = self._reach(survivors) - self._profiles.keys()

    def _reach(self, keys: set[ProfileKey]) -> set[ProfileKey]:
        """Those of the profiles whose buckets are held, or could be locked now.

        A bucket is asked for once: were it given later, what it was first asked for would not have been loaded.
        """
        others = {buckets.of_user(user_id) for _, user_id in keys} - self.held - self._busy
        if others:
            self.held |= try_lock(self.cursor, others)
            self._busy |= others - self.held
        return {key for key in keys if buckets.of_user(key[1]) in self.held}

    def _look_for(self, keys: set[ProfileKey]) -> dict[ProfileKey, ProfileState]:
        found = profiles.load_profiles(self.cursor, keys)
        self._profiles.update(found)
        unknown = keys - found.keys()
        self._opted_out |= profiles.opted_out(self.cursor, {user for _, user in unknown})
        self._erased.update(
            erased.load(self.cursor, {(customer, erased.USER, str(user)) for customer, user in unknown})
        )
        self._looked_for |= keys
        return found

    def profile(self, customer: int, user_id: UUID) -> ProfileState | None:
        """The profile, whose bucket is held. One that a row of this very batch named was not asked for before."""
        key = (customer, user_id)
        if key not in self._profiles and key not in self._looked_for:
            self._look_for({key})
        return self._profiles.get(key)

    def survivor(self, profile: ProfileState) -> ProfileState | UUID:
        """Who answers for a merged profile, or the next on the way to it, where that is out of reach."""
        while profile.merged_into is not None:
            following = self._profiles.get((profile.customer, profile.merged_into))
            if following is None:
                return profile.merged_into
            profile = following
        return profile

    def profiles_of(self, user_id: UUID, customers: Iterable[int]) -> list[ProfileState]:
        """The user's profiles with these customers."""
        keys = {(customer, user_id) for customer in customers}
        self.adopt(profiles.load_profiles(self.cursor, keys - self._profiles.keys()).values())
        return [self._profiles[key] for key in sorted(keys & self._profiles.keys())]

    def has_opted_out(self, profile: ProfileState | None, user_id: UUID) -> bool:
        """Whether the user wants not to be known: by the profile, or before there is one."""
        return user_id in self._opted_out if profile is None else profile.opted_out

    def was_erased(self, key: IdentityKey, accepted: datetime) -> bool:
        """Whether the id's user has been erased since this was accepted. Ids have to be named before (`Needs`)."""
        at = self._erased.get(key)
        return at is not None and accepted <= at

    def identity(self, customer: int, kind: str, value: str) -> IdentityState | None:
        return self._identities.get((customer, kind, value))

    def adopt(self, states: Iterable[ProfileState]) -> None:
        """Take profiles in that were loaded otherwise."""
        for state in states:
            self._profiles[state.customer, state.user_id] = state
