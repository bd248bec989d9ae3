"""One batch in memory: what its rows need is loaded at once, changed row by row, and saved at once."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from psycopg import Cursor

from activation import wants
from activation.commands import Want
from audiences import store as memberships
from audiences.evaluation import Evaluation, Flip
from edge import buckets, commands
from edge.commands import Command
from edge.kinds import Kind
from edge.messages import Sync
from pipeline import catalogue
from pipeline.absorb.rows import Row
from pipeline.catalogue import Catalogue
from pipeline.locks import try_lock
from profiles import erased, merges
from profiles import store as profiles
from profiles.commands import Cause
from profiles.known import count as count_known
from profiles.merges import HotKey, Merged
from profiles.state import ProfileState
from profiles.store import IdentityKey, IdentityState, ProfileKey, milliseconds
from usersync import store as mappings
from usersync.mapped import Changes
from usersync.mapped import count as count_mapped
from usersync.store import KnownAs, Mapping

VERSION = "SELECT version FROM configuration_version"


@dataclass(slots=True)
class Needs:
    """What a batch will look at; of `owners` the profiles that they name, too. Of `named` ids only whether they were
    erased."""

    profiles: set[ProfileKey] = field(default_factory=set)
    identities: set[IdentityKey] = field(default_factory=set)
    owners: set[IdentityKey] = field(default_factory=set)
    named: set[IdentityKey] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Refused:
    """A row, or a part of one, that could not be used, and why."""

    row: Row
    customer: int | None
    reason: str


@dataclass(slots=True)
class Touched:
    """Who has something to do once the transaction is committed."""

    deliveries: set[tuple[int, int]] = field(default_factory=set)  # platform, bucket
    buckets: set[int] = field(default_factory=set)  # whose inbox got a row


class Work:
    """A batch under way; the caller holds the locks of `held`.

    `configure` gives it the configuration, once all locks are taken.
    """

    catalogue: Catalogue

    def __init__(self, cursor: Cursor[Any], held: set[int], now: datetime) -> None:
        self.cursor = cursor
        self.now = now
        self.now_ms = milliseconds(now)
        self.held = held
        self.touched = Touched()
        self.refused: list[Refused] = []
        self._profiles: dict[ProfileKey, ProfileState] = {}
        self._identities: dict[IdentityKey, IdentityState] = {}
        self._kept: dict[tuple[int, UUID, int, str], tuple[Mapping, bool]] = {}
        self._forgotten: set[tuple[int, UUID, int, str, int]] = set()
        self._opted_out: set[UUID] = set()
        self._looked_for: set[ProfileKey] = set()
        self._erased: dict[IdentityKey, datetime] = {}
        self._erased_profiles: list[ProfileState] = []
        self._erased_identities: set[IdentityKey] = set()
        self._merges: list[Merged] = []
        self._hot_ids: Counter[HotKey] = Counter()
        self._new_users: set[ProfileKey] = set()
        self._busy: set[int] = set()
        self._outbox: list[Command] = []
        self._wants: list[tuple[int, Want]] = []

    def configure(self) -> None:
        """Read the configuration: it is none older than what the held buckets were built with."""
        self.cursor.execute(VERSION)
        (version,) = self.cursor.fetchone() or (0,)
        self.catalogue = catalogue.at_version(version)

    # ── looking things up ────────────────────────────────────────────────────────────────────────────

    def load(self, needs: Needs) -> None:
        """Load identities, then the profiles that are needed: those that identities name, and survivors of merges.

        Their buckets are locked too where they are free, so that most effects need not travel. Nothing
        here looks at the configuration, which has to be read after the last lock.
        """
        self._identities.update(profiles.load_identities(self.cursor, needs.identities | needs.owners))
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

    def profiles_of(self, user_id: UUID) -> list[ProfileState]:
        """The user's profiles with all customers."""
        keys = {(customer, user_id) for customer in self.catalogue.customers}
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

    def forget_memberships(self, profile: ProfileState) -> None:
        """The user is in no audience any more; the platforms are told, if at all, by what became of the ids."""
        left = memberships.forget(self.cursor, profile.customer, profile.user_id)
        memberships.count(self.cursor, {(profile.bucket, audience): (0, 1) for audience in left})

    def mappings_of(self, profile: ProfileState) -> list[Mapping]:
        """The user's mappings as the batch has left them so far."""
        stored = mappings.of_user(self.cursor, profile.customer, profile.user_id)
        forgotten = {key[:4] for key in self._forgotten}
        current = {m.key: m for m in stored if m.key not in forgotten}
        current.update({key: m for key, (m, _) in self._kept.items() if m.user_id == profile.user_id})
        return list(current.values())

    # ── changing things ──────────────────────────────────────────────────────────────────────────────

    def new_profile(self, customer: int, user_id: UUID, created_at: int) -> ProfileState:
        state = ProfileState(buckets.of_user(user_id), customer, user_id, created_at, dirty=True, reconsider=True)
        self._profiles[customer, user_id] = state
        self._new_users.add((customer, user_id))
        return state

    def new_user(self, customer: int, bucket: int) -> UUID:
        """An id that nobody has had: there is no profile to look for."""
        user_id = buckets.new_user_id(bucket)
        self._looked_for.add((customer, user_id))
        return user_id

    def adopt(self, states: Iterable[ProfileState]) -> None:
        """Take profiles in that were loaded otherwise."""
        for state in states:
            self._profiles[state.customer, state.user_id] = state

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

    def keep_mapping(self, profile: ProfileState, mapping: Mapping, *, inherited: bool) -> None:
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

    def note_merge(self, winner: ProfileState, loser: UUID, cause: Cause, at: int) -> None:
        """The winner has taken in what the loser held."""
        self._merges.append(Merged(winner.bucket, winner.customer, winner.user_id, loser, cause, at))

    def set_aside(self, profile: ProfileState, kind: str, value: str) -> None:
        """The profile has no room for what this id would bring."""
        self._hot_ids[HotKey(profile.bucket, profile.customer, profile.user_id, kind, value)] += 1

    def send(
        self,
        bucket: int,
        kind: Kind,
        message: msgspec.Struct,
        body: bytes | None = None,
        at: datetime | None = None,
    ) -> None:
        """An effect on a bucket, this one too: a row of its inbox, received `at` (now, where left out)."""
        self._outbox.append(Command(bucket, kind, msgspec.json.encode(message), at or self.now, body))
        self.touched.buckets.add(bucket)

    def want(self, m: KnownAs, activation: int, wanted: bool, version: int) -> None:
        """Whether the platform should hold this id, as of the user's `version`-th entry or exit."""
        want = Want(
            m.customer, activation, m.platform, m.platform_user_id, str(m.user_id), m.epoch, version, wanted
        )  # fmt: skip
        self.pass_want(want)

    def pass_want(self, want: Want) -> None:
        """Settle a want, this bucket's or one that came from another."""
        self._wants.append((buckets.of_value(want.platform_user_id), want))

    def introduce(
        self, customer: int, user_id: UUID, platform: int, known: dict[tuple[int, UUID], list[KnownAs]]
    ) -> None:
        """Match a member, where the platform knows users by our own ids, as if it had been synced under its own.

        From then on it is an id like any other: it has an owner, survives merges, and goes when the user does.
        """
        own = str(user_id)
        ids = {m.platform_user_id for m in known[customer, user_id] if m.platform == platform}
        if platform in self.catalogue.activations.own and own not in ids:
            self.send(buckets.of_value(own), Kind.SYNC, Sync(customer, platform, own, own, self.now_ms))

    def refuse(self, row: Row, customer: int | None, reason: str) -> None:
        self.refused.append(Refused(row, customer, reason))

    # ── bringing it to the database ──────────────────────────────────────────────────────────────────

    def flush(self) -> None:
        """Save what changed, evaluate what depends on it, and pass on what follows."""
        profiles.erase_identities(self.cursor, self._erased_identities)
        merges.erase(self.cursor, self._erased_profiles)
        profiles.erase_profiles(self.cursor, self._erased_profiles)
        changed = [s for s in self._profiles.values() if s.dirty]
        profiles.save_profiles(self.cursor, changed, self.now)
        count_known(self.cursor, [*changed, *self._erased_profiles])
        changed_ids = [(key, state) for key, state in self._identities.items() if state.dirty]
        profiles.save_identities(self.cursor, changed_ids, self.now)
        merges.save_merges(self.cursor, self._merges)
        merges.save_hot_ids(self.cursor, self._hot_ids, self.now)
        removed = mappings.delete(self.cursor, self._forgotten)
        kept = [mapping for mapping, _ in self._kept.values()]
        added = mappings.save(self.cursor, kept)
        count_mapped(self.cursor, Changes(kept, added, removed, self._new_users))
        self.evaluate(lambda evaluation: evaluation.of_changes(self._profiles.values()))
        self._want_for_new_mappings()

    def finish(self) -> None:
        """Settle what is wanted and pass on what other buckets have to do: the last step."""
        self._settle()
        commands.append(self.cursor, self._outbox)

    def evaluate(self, evaluate: Callable[[Evaluation], None]) -> Sequence[Flip]:
        """Evaluate, and want of the platforms what follows; answers who entered and who left."""
        evaluation = Evaluation(self.cursor, self.catalogue.audiences, self.now)
        evaluate(evaluation)
        self.want_for_flips(evaluation.flips)
        return evaluation.flips

    def want_for_flips(self, flips: Sequence[Flip]) -> None:
        """Those who entered or left an audience that is sent somewhere enter or leave there too."""
        activated = self.catalogue.activations.by_audience
        told = [flip for flip in flips if flip.audience in activated]
        known = mappings.of_users(self.cursor, {(f.customer, f.user) for f in told})
        for flip in told:
            for activation, platform in activated[flip.audience]:
                for m in known[flip.customer, flip.user]:
                    if m.platform == platform:
                        self.want(m, activation, flip.member, flip.version)
                if flip.member:
                    self.introduce(flip.customer, flip.user, platform, known)

    def _want_for_new_mappings(self) -> None:
        """An id that was just matched is wanted wherever its user is a member already."""
        activated = self.catalogue.activations.by_platform
        users = {mapping.user_id for mapping, _ in self._kept.values()}
        asked = {audience for mapping, _ in self._kept.values() for _, audience in activated.get(mapping.platform, ())}
        standings = memberships.load(self.cursor, users, asked)
        for mapping, inherited in self._kept.values():
            for activation, audience in activated.get(mapping.platform, ()):
                state = standings.get(mapping.user_id, {}).get(audience)
                if inherited or (state and state.member):
                    self.want(mapping, activation, bool(state and state.member), state.version if state else 0)

    def _settle(self) -> None:
        """Apply the wants of the buckets that are held or free; the others' travel as rows."""
        others = {bucket for bucket, _ in self._wants} - self.held
        if others:
            self.held |= try_lock(self.cursor, others)
        here = [(bucket, want) for bucket, want in self._wants if bucket in self.held]
        self.touched.deliveries |= wants.settle(self.cursor, here, self.now)
        if len(here) < len(self._wants):
            for bucket, want in self._wants:
                if bucket not in self.held:
                    self.send(bucket, Kind.WANT, want)
        self._wants.clear()
