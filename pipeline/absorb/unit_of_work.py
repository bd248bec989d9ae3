"""One batch in memory: what its rows need is loaded at once, changed row by row, and saved at once."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Cursor

from audiences import store as memberships
from audiences.evaluation import Evaluation, Flip
from core import buckets, user_ids
from pipeline.absorb.outbox import Telling
from pipeline.absorb.rows import Row
from profiles import erased, identities, merges
from profiles import store as profiles
from profiles.identities import IdentityKey, IdentityState
from profiles.merges import MergeRecord, SharedIdKey
from profiles.messages import MergeCause
from profiles.state import ProfileState
from profiles.store import ProfileKey
from profiles.user_counts import count as count_known
from usersync import store as mappings
from usersync.store import FullMapping
from usersync.user_counts import MappingChanges
from usersync.user_counts import count as count_mapped


@dataclass(frozen=True, slots=True)
class Refused:
    """A row, or a part of one, that could not be used, and why."""

    row: Row
    customer: int | None
    reason: str


class Work(Telling):
    """A batch under way: what is loaded and told, and what changes. The caller holds the locks of `held`."""

    def __init__(self, cursor: Cursor[Any], held: set[int], now: datetime) -> None:
        super().__init__(cursor, held, now)
        self.refused: list[Refused] = []
        self._kept: dict[tuple[int, UUID, int, str], tuple[FullMapping, bool]] = {}
        self._forgotten: set[tuple[int, UUID, int, str, int]] = set()
        self._erased_profiles: list[ProfileState] = []
        self._erased_identities: set[IdentityKey] = set()
        self._merges: list[MergeRecord] = []
        self._shared_ids: Counter[SharedIdKey] = Counter()
        self._new_users: set[ProfileKey] = set()

    def forget_memberships(self, profile: ProfileState) -> None:
        """The user is in no audience any more; the platforms are told, if at all, by what became of the ids."""
        left = memberships.delete_of_user(self.cursor, profile.customer, profile.user_id)
        memberships.count_moves(self.cursor, {(profile.bucket, audience): (0, 1) for audience in left})

    def mappings_of(self, profile: ProfileState) -> list[FullMapping]:
        """The user's mappings as the batch has left them so far."""
        stored = mappings.of_user(self.cursor, profile.customer, profile.user_id)
        forgotten = {key[:4] for key in self._forgotten}
        current = {m.key: m for m in stored if m.key not in forgotten}
        current.update({key: m for key, (m, _) in self._kept.items() if m.user_id == profile.user_id})
        return list(current.values())

    def new_profile(self, customer: int, user_id: UUID, created_at: int) -> ProfileState:
        state = ProfileState(buckets.of_user(user_id), customer, user_id, created_at, dirty=True, reconsider=True)
        self._profiles[customer, user_id] = state
        self._new_users.add((customer, user_id))
        return state

    def new_user(self, customer: int, bucket: int) -> UUID:
        """An id that nobody has had: there is no profile to look for."""
        user_id = user_ids.new(bucket)
        self._looked_for.add((customer, user_id))
        return user_id

    def new_identity(self, customer: int, kind: str, value: str, user_id: UUID) -> IdentityState:
        identity = IdentityState(user_id, dirty=True)
        self._identities[customer, kind, value] = identity
        return identity

    def erase(self, key: IdentityKey, at: datetime) -> None:
        """Drop whatever was accepted about the id up to then."""
        erased.remember(self.cursor, key, at)
        self._erased[key] = max(at, self._erased.get(key, at))

    def erase_profile(self, profile: ProfileState) -> None:
        """Nothing is left of it; it is as if it had not been found."""
        for mapping in self.mappings_of(profile):
            self.forget_mapping(profile, mapping.platform, mapping.platform_user_id, mapping.epoch)
        self._erased_profiles.append(profile)
        self._profiles.pop((profile.customer, profile.user_id), None)
        self._looked_for.add((profile.customer, profile.user_id))

    def erase_identity(self, key: IdentityKey) -> None:
        self._erased_identities.add(key)
        self._identities.pop(key, None)

    def keep_mapping(self, profile: ProfileState, mapping: FullMapping, *, inherited: bool) -> None:
        """The user is known by this id; audiences that ask so, and activations, take note.

        Told twice in one batch, it is inherited if it was so either time: the former owner's wants stand until
        this one has spoken.
        """
        earlier = self._kept.get(mapping.key)
        self._kept[mapping.key] = (mapping, inherited or (earlier is not None and earlier[1]))
        profile.changed.add(f"platform.{mapping.platform}")

    def forget_mapping(self, profile: ProfileState, platform: int, platform_user_id: str, epoch: int) -> None:
        """The user is no longer known by this id, unless a later owner's turn made it theirs again."""
        key = (profile.bucket, profile.user_id, platform, platform_user_id)
        if key in self._kept and self._kept[key][0].epoch <= epoch:
            del self._kept[key]
        self._forgotten.add((*key, epoch))
        profile.changed.add(f"platform.{platform}")

    def note_merge(self, winner: ProfileState, loser: UUID, cause: MergeCause, at: int) -> None:
        """The winner has taken in what the loser held."""
        self._merges.append(MergeRecord(winner.bucket, winner.customer, winner.user_id, loser, cause, at))

    def set_aside(self, profile: ProfileState, kind: str, value: str) -> None:
        """The profile has no room for what this id would bring."""
        self._shared_ids[SharedIdKey(profile.bucket, profile.customer, profile.user_id, kind, value)] += 1

    def refuse(self, row: Row, customer: int | None, reason: str) -> None:
        self.refused.append(Refused(row, customer, reason))

    def flush(self) -> None:
        """Save what changed, evaluate what depends on it, and pass on what follows."""
        identities.erase(self.cursor, self._erased_identities)
        merges.erase(self.cursor, self._erased_profiles)
        profiles.erase_profiles(self.cursor, self._erased_profiles)
        changed = [s for s in self._profiles.values() if s.dirty]
        profiles.save_profiles(self.cursor, changed, self.now)
        count_known(self.cursor, [*changed, *self._erased_profiles])
        changed_ids = [(key, state) for key, state in self._identities.items() if state.dirty]
        identities.save(self.cursor, changed_ids, self.now)
        merges.save_merges(self.cursor, self._merges)
        merges.save_shared_ids(self.cursor, self._shared_ids, self.now)
        removed = mappings.delete(self.cursor, self._forgotten)
        kept = [mapping for mapping, _ in self._kept.values()]
        added = mappings.save(self.cursor, kept)
        count_mapped(self.cursor, MappingChanges(kept, added, removed, self._new_users))
        self.evaluate(lambda evaluation: evaluation.of_changes(self._profiles.values()))
        self.want_for_mappings(self._kept.values())

    def evaluate(self, evaluate: Callable[[Evaluation], None]) -> Sequence[Flip]:
        """Evaluate, and want of the platforms what follows; answers who entered and who left."""
        evaluation = Evaluation(self.cursor, self.catalogue.audiences, self.now)
        evaluate(evaluation)
        self.want_for_flips(evaluation.flips)
        return evaluation.flips
