"""What platforms should hold after a batch: applied in the buckets of their ids, or sent there.

A want names one id of one platform and one activation. It is applied with all others of the batch at its end.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from psycopg import Cursor

from activation.activation_index import ActivationIndex
from activation.delivery import lanes
from activation.messages import Want
from activation.stores import desired_state
from activation.stores.activation_counts import DeliveryChanges
from audiences import store as memberships
from audiences.evaluation import Flip
from core import buckets
from core.buckets import try_lock
from core.clock import milliseconds
from core.inbox import InboxKind
from core.messages import Sync
from pipeline.absorb.loader import Needs
from pipeline.absorb.outbox import Outbox
from pipeline.absorb.rows import InboxRow
from profiles.state import ProfileState
from usersync import store as mappings
from usersync.store import FullMapping, MappedId, UserOnPlatform


class DesiredState:
    """The wants of the batch. `touched`: the (platform, bucket)s in which something is to be delivered now.

    `changes`: how every change of deliveries in this transaction is made, also by others; `apply` counts them.
    `turned`: whom a platform has come to know (1), or knows no more (-1), by mappings that were saved before the batch
    evaluates and whose wants follow afterwards.
    """

    __slots__ = (
        *("_activations", "_cursor", "_held", "_now", "_now_ms", "_open", "_outbox", "_wants"),
        *("changes", "touched", "turned"),
    )

    def __init__(
        self, cursor: Cursor[Any], held: set[int], activations: ActivationIndex, outbox: Outbox, now: datetime
    ) -> None:
        self._cursor = cursor
        self._held = held
        self._activations = activations
        self._outbox = outbox
        self._now = now
        self._now_ms = milliseconds(now)
        self._wants: list[tuple[int, Want]] = []
        self._open: dict[int, bool] = {}
        self.changes = DeliveryChanges(cursor, locked=True)
        self.turned: Mapping[UserOnPlatform, int] = {}
        self.touched: set[tuple[int, int]] = set()

    def want(self, m: MappedId, activation: int, wanted: bool, version: int, *, only_known: bool = False) -> None:
        """Whether the platform should hold this id, as of the user's `version`-th entry or exit.

        `only_known`: it matters only where the activation knows the id already.
        """
        id_, user = m.platform_user_id, m.user_id
        self.add(Want(m.customer, activation, m.platform, id_, user, m.epoch, version, wanted, only_known))

    def add(self, want: Want) -> None:
        """Add a want, made in this bucket or received from another."""
        self._wants.append((buckets.of_value(want.platform_user_id), want))

    def introduce(
        self, customer: int, user_id: UUID, platform: int, known: dict[tuple[int, UUID], list[MappedId]]
    ) -> None:
        """Match a member, where the platform knows users by our own ids, as if it had been synced under its own id.

        From then on it is an id like any other: it has an owner, survives merges, and goes when the user does.
        """
        own = str(user_id)
        ids = {m.platform_user_id for m in known[customer, user_id] if m.platform == platform}
        if platform in self._activations.of(customer).own and own not in ids:
            sync = Sync(
                customer=customer,
                platform=platform,
                user=own,
                platform_user_id=own,
                at=self._now_ms,
                introduced=True,
            )
            self._outbox.send(buckets.of_value(own), InboxKind.SYNC, sync)

    def want_flips(self, flips: Sequence[Flip]) -> None:
        """Users who entered or left an audience enter or leave the segments of its activations."""
        of = self._activations.of
        activated = {customer: of(customer).by_audience for customer in {flip.customer for flip in flips}}
        sent = [flip for flip in flips if flip.audience in activated[flip.customer]]
        known = mappings.of_users(self._cursor, {(f.customer, f.user) for f in sent})
        for flip in sent:
            bucket, by = buckets.of_user(flip.user), 1 if flip.member else -1
            for activation, platform in activated[flip.customer][flip.audience]:
                is_known = False
                for m in known[flip.customer, flip.user]:
                    if m.platform == platform:
                        self.want(m, activation, flip.member, flip.version)
                        is_known = True
                if is_known is not ((flip.customer, flip.user, platform) in self.turned):
                    # known before the batch: what the batch turned is counted with the mappings
                    self.changes.add_matched((bucket, activation), by)
                if flip.member:
                    self.introduce(flip.customer, flip.user, platform, known)

    def count_leaver(self, profile: ProfileState, audiences: Collection[int]) -> None:
        """The user has left these audiences, before any mapping of the batch is saved. Nothing is wanted by this."""
        activated = self._activations.of(profile.customer).by_audience if audiences else {}
        left = [one for audience in audiences for one in activated.get(audience, ())]
        if left:
            user = (profile.customer, profile.user_id)
            known = {m.platform for m in mappings.of_users(self._cursor, {user})[user]}
            for activation, platform in left:
                if platform in known:
                    self.changes.add_matched((profile.bucket, activation), -1)

    def want_mappings(self, kept: Collection[tuple[FullMapping, bool]]) -> None:
        """An id that was just matched, or inherited, is wanted wherever its user is a member already."""
        of = self._activations.of
        changed = {(m.customer, m.user_id, m.platform) for m, _ in kept} | self.turned.keys()
        activated = {(c, platform): of(c).by_platform.get(platform, ()) for c, _, platform in changed}
        asked = {audience for ones in activated.values() for _, audience in ones}
        standings = memberships.load(self._cursor, {user for _, user, _ in changed}, asked)
        for (customer, user, platform), by in self.turned.items():
            for activation, audience in activated[customer, platform]:
                state = standings.get(user, {}).get(audience)
                if state and state.member:
                    self.changes.add_matched((buckets.of_user(user), activation), by)
        self.turned = {}
        for mapping, inherited in kept:
            for activation, audience in activated[mapping.customer, mapping.platform]:
                state = standings.get(mapping.user_id, {}).get(audience)
                if state and state.member:
                    self.want(mapping, activation, True, state.version)
                elif inherited:
                    # no want of this epoch can have been sent before: where there is no delivery, none is needed
                    self.want(mapping, activation, False, state.version if state else 0, only_known=True)

    def disown(self, platform: int, platform_user_id: str, epoch: int) -> None:
        """The id has no owner from this epoch on: nothing is wanted for it. The caller holds the id's bucket."""
        is_open = self.has_open_files(platform)
        desired_state.release(self.changes, platform_user_id, self._of(platform), epoch, self._now, is_open=is_open)
        self.touched.add((platform, buckets.of_value(platform_user_id)))

    def take_back(
        self, platform: int, platform_user_id: str, users: Sequence[UUID], erasure: UUID, epoch: int, *, whole: bool
    ) -> bool:
        """Have the platform remove the id of erased users; returns False where it never had to hold the id.

        The deliveries bear the erasure's id from now on; with `whole` all of the id, else those of the users. The
        caller holds the id's bucket.
        """
        bucket = buckets.of_value(platform_user_id)
        activations = desired_state.activations_of(self._cursor, platform)
        owed = desired_state.erase(
            self.changes,
            bucket,
            activations,
            platform_user_id,
            users,
            erasure,
            epoch,
            self._now,
            whole=whole,
            is_open=self.has_open_files(platform),
        )
        if owed:
            self.touched.add((platform, bucket))
        return bool(owed)

    def name_holder(self, platform: int, platform_user_id: str, users: Sequence[UUID], holder: UUID) -> None:
        """The id is the holder's, not the erased users': nothing names them any more. The caller holds its bucket."""
        activations = desired_state.activations_of(self._cursor, platform)
        desired_state.name_holder(self._cursor, activations, platform_user_id, users, holder)

    def has_open_files(self, platform: int) -> bool:
        """Whether what is due for the platform may stand in a file already; read once a batch."""
        if platform not in self._open:
            self._open[platform] = platform in lanes.with_open_files(self._cursor, {platform})
        return self._open[platform]

    def _of(self, platform: int) -> list[int]:
        return [activation for activation, _ in self._activations.of_platform(platform)]

    def apply(self) -> None:
        """Apply the wants of the buckets that are held or free; send the others to their buckets.

        The last change of deliveries in the transaction.
        """
        others = {bucket for bucket, _ in self._wants} - self._held
        if others:
            self._held |= try_lock(self._cursor, others)
        here = [(bucket, want) for bucket, want in self._wants if bucket in self._held]
        self.touched |= desired_state.apply(self.changes, here, self._now)
        self.changes.write()
        if len(here) < len(self._wants):
            for bucket, want in self._wants:
                if bucket not in self._held:
                    self._outbox.send(bucket, InboxKind.WANT, want)
        self._wants.clear()


class WantScope(Protocol):
    """What the handler of wants may change."""

    desired: DesiredState


def needs_want(want: Want, needs: Needs) -> None:
    """Nothing: all wants of the batch are applied together, by statements of their own."""


def absorb_want(unit: WantScope, row: InboxRow, want: Want) -> None:
    """In the bucket of the platform's id."""
    unit.desired.add(want)
