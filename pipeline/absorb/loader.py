"""Loads what the rows of a batch need, all at once, before the first row is applied.

It locks further buckets where they are free, so that most effects need not travel as rows. It must not look at the
configuration: that has to be read after the last lock.
"""

from dataclasses import dataclass, field
from typing import Any

from psycopg import Cursor

from core import buckets
from core.buckets import try_lock
from pipeline.absorb.people import BatchErasures, BatchIdentities, BatchProfiles
from profiles.identities import IdentityKey
from profiles.state import USER_KEY
from profiles.store import ProfileKey


@dataclass(slots=True)
class Needs:
    """What the rows of a batch will look at.

    `owners`: identities, and the profiles that they name. `named`: ids of which only one thing matters, whether they
    were erased. `watched`: ids by which profiles may be merged, or browsers move. `leaving`: users who are erased, and
    whose former ids on platforms have to go too.
    """

    profiles: set[ProfileKey] = field(default_factory=set)
    identities: set[IdentityKey] = field(default_factory=set)
    owners: set[IdentityKey] = field(default_factory=set)
    named: set[IdentityKey] = field(default_factory=set)
    watched: set[IdentityKey] = field(default_factory=set)
    leaving: set[ProfileKey] = field(default_factory=set)


class BatchLoader:
    """Fills the batch's profiles, identities and erasures. `held` are the buckets whose locks the transaction holds."""

    __slots__ = ("_busy", "_cursor", "_erasures", "_held", "_identities", "_profiles")

    def __init__(
        self,
        cursor: Cursor[Any],
        held: set[int],
        profiles: BatchProfiles,
        identities: BatchIdentities,
        erasures: BatchErasures,
    ) -> None:
        self._cursor = cursor
        self._held = held
        self._profiles = profiles
        self._identities = identities
        self._erasures = erasures
        self._busy: set[int] = set()

    def load(self, needs: Needs) -> None:
        """Load identities, then the profiles: those asked for, those that identities name, and survivors of merges.

        Locks the buckets of these profiles where they are free. Profiles in other buckets are not loaded.
        """
        self._identities.load(needs.identities | needs.owners)
        self._erasures.load(needs.named | needs.owners)
        self._erasures.load_platform_ids(needs.leaving)
        wanted = needs.profiles | self._reach(self._named_by(needs.owners))
        while wanted:
            found = self._profiles.load(wanted)
            survivors = {(key[0], state.merged_into) for key, state in found.items() if state.merged_into is not None}
            wanted = {key for key in self._reach(survivors) if key not in self._profiles}
        logins = {(state.customer, USER_KEY, state.login) for state in self._profiles.loaded() if state.login}
        self._erasures.load(logins)

    def _named_by(self, owners: set[IdentityKey]) -> set[ProfileKey]:
        named = set()
        for key in owners:
            identity = self._identities.get(*key)
            if identity is not None and identity.user_id is not None:
                named.add((key[0], identity.user_id))
        return named

    def _reach(self, keys: set[ProfileKey]) -> set[ProfileKey]:
        """Returns those of the profiles whose buckets are held, or could be locked now.

        A bucket is tried once: if it came free later, what was asked of it before would not have been loaded.
        """
        others = {buckets.of_user(user_id) for _, user_id in keys} - self._held - self._busy
        if others:
            self._held |= try_lock(self._cursor, others)
            self._busy |= others - self._held
        return {key for key in keys if buckets.of_user(key[1]) in self._held}
