"""What a batch tells others: rows for the inbox of other buckets, and what platforms should hold."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from psycopg import Cursor

from activation import desired_state
from activation.messages import Want
from audiences import store as memberships
from audiences.evaluation import Flip
from core import buckets, inbox
from core.buckets import try_lock
from core.clock import milliseconds
from core.inbox import InboxCommand, InboxKind
from core.messages import Sync
from pipeline import catalogue
from pipeline.absorb.loader import Loaded
from pipeline.catalogue import Catalogue
from usersync import store as mappings
from usersync.store import FullMapping, MappedId

VERSION = "SELECT version FROM configuration_version"


@dataclass(slots=True)
class Touched:
    """Who has something to do once the transaction is committed."""

    deliveries: set[tuple[int, int]] = field(default_factory=set)  # platform, bucket
    buckets: set[int] = field(default_factory=set)  # whose inbox got a row


class Telling(Loaded):
    """Adds to what is loaded what is to be told. `configure` gives it the configuration, once all locks are taken."""

    catalogue: Catalogue

    def __init__(self, cursor: Cursor[Any], held: set[int], now: datetime) -> None:
        super().__init__(cursor, held)
        self.now = now
        self.now_ms = milliseconds(now)
        self.touched = Touched()
        self._outbox: list[InboxCommand] = []
        self._wants: list[tuple[int, Want]] = []

    def configure(self) -> None:
        """Read the configuration: it is none older than what the held buckets were built with."""
        self.cursor.execute(VERSION)
        (version,) = self.cursor.fetchone() or (0,)
        self.catalogue = catalogue.at_version(version)

    def send(
        self,
        bucket: int,
        kind: InboxKind,
        message: msgspec.Struct,
        body: bytes | None = None,
        at: datetime | None = None,
    ) -> None:
        """An effect on a bucket, this one too: a row of its inbox, received `at` (now, where left out)."""
        self._outbox.append(InboxCommand(bucket, kind, msgspec.json.encode(message), at or self.now, body))
        self.touched.buckets.add(bucket)

    def want(self, m: MappedId, activation: int, wanted: bool, version: int) -> None:
        """Whether the platform should hold this id, as of the user's `version`-th entry or exit."""
        want = Want(m.customer, activation, m.platform, m.platform_user_id, str(m.user_id), m.epoch, version, wanted)
        self.pass_want(want)

    def pass_want(self, want: Want) -> None:
        """Settle a want, this bucket's or one that came from another."""
        self._wants.append((buckets.of_value(want.platform_user_id), want))

    def introduce(
        self, customer: int, user_id: UUID, platform: int, known: dict[tuple[int, UUID], list[MappedId]]
    ) -> None:
        """Match a member, where the platform knows users by our own ids, as if it had been synced under its own.

        From then on it is an id like any other: it has an owner, survives merges, and goes when the user does.
        """
        own = str(user_id)
        ids = {m.platform_user_id for m in known[customer, user_id] if m.platform == platform}
        if platform in self.catalogue.activations.own and own not in ids:
            self.send(buckets.of_value(own), InboxKind.SYNC, Sync(customer, platform, own, own, self.now_ms))

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

    def want_for_mappings(self, kept: Collection[tuple[FullMapping, bool]]) -> None:
        """An id that was just matched, or inherited, is wanted wherever its user is a member already."""
        activated = self.catalogue.activations.by_platform
        users = {mapping.user_id for mapping, _ in kept}
        asked = {audience for mapping, _ in kept for _, audience in activated.get(mapping.platform, ())}
        standings = memberships.load(self.cursor, users, asked)
        for mapping, inherited in kept:
            for activation, audience in activated.get(mapping.platform, ()):
                state = standings.get(mapping.user_id, {}).get(audience)
                if inherited or (state and state.member):
                    self.want(mapping, activation, bool(state and state.member), state.version if state else 0)

    def finish(self) -> None:
        """Settle what is wanted and pass on what other buckets have to do: the last step."""
        self._settle()
        inbox.append(self.cursor, self._outbox)

    def _settle(self) -> None:
        """Apply the wants of the buckets that are held or free; the others' travel as rows."""
        others = {bucket for bucket, _ in self._wants} - self.held
        if others:
            self.held |= try_lock(self.cursor, others)
        here = [(bucket, want) for bucket, want in self._wants if bucket in self.held]
        self.touched.deliveries |= desired_state.settle(self.cursor, here, self.now)
        if len(here) < len(self._wants):
            for bucket, want in self._wants:
                if bucket not in self.held:
                    self.send(bucket, InboxKind.WANT, want)
        self._wants.clear()
