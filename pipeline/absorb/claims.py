"""What a browser that is not confirmed yet may take: an id that is nobody's, and nothing else.

Whoever follows a mail link without our cookie is given an id, and nobody knows whether there is a browser that keeps
it: security gateways of mail follow links too. So such an id gets a match only where nobody has it. Else the match is
claimed in the bucket of the user, and goes on when the browser has brought its cookie back. Of an id that is never
brought back nothing is left after a day.
"""

from collections.abc import Collection, Iterable
from typing import Any, Protocol
from uuid import UUID

import msgspec
from psycopg import Cursor

from core import buckets
from core.clock import milliseconds
from core.inbox import InboxKind
from core.messages import Sync
from pipeline.absorb.loader import Needs
from pipeline.absorb.outbox import Outbox
from pipeline.absorb.people import BatchErasures, BatchProfiles
from pipeline.absorb.rows import InboxRow
from pipeline.catalogue import Catalogue
from profiles.erased import USER
from profiles.state import ProfileState
from usersync import claims
from usersync.claims import Claimant, MatchClaimRow

_decode = msgspec.json.Decoder(Sync).decode


class BatchClaims:
    """The claims of a batch: kept for users who are not confirmed, sent on for those who are now."""

    __slots__ = ("_cursor", "_new", "_outbox")

    def __init__(self, cursor: Cursor[Any], outbox: Outbox) -> None:
        self._cursor = cursor
        self._outbox = outbox
        self._new: list[tuple[ProfileState, MatchClaimRow]] = []

    def keep(self, profile: ProfileState, claim: MatchClaimRow) -> None:
        self._new.append((profile, claim))

    def forget(self, users: Collection[Claimant]) -> None:
        """These users are erased, or have opted out: they claim nothing."""
        self._new = [one for one in self._new if (one[1].customer, one[1].user) not in users]
        claims.take(self._cursor, users)

    def save(self, profiles: Iterable[ProfileState]) -> None:
        """Keep the claims of the batch, and send on those of the profiles that it has confirmed or merged."""
        confirmed = {
            (one.customer, one.user_id)
            for one in profiles
            if not one.counted and one.stored is not None and one.dirty and _is_confirmed(one)
        }
        claims.keep(self._cursor, [claim for profile, claim in self._new if not _is_confirmed(profile)])
        for claim in claims.take(self._cursor, confirmed):
            self._send_on(claim)
        for profile, claim in self._new:
            if _is_confirmed(profile):
                self._send_on(claim)

    def _send_on(self, claim: MatchClaimRow) -> None:
        sync = _decode(claim.sync)
        sync.unconfirmed = False
        bucket = buckets.of_value(claim.platform_user_id)
        self._outbox.send(bucket, InboxKind.SYNC, sync, accepted=claim.received_at)


class ClaimScope(Protocol):
    """What the handler of claims may read and change."""

    catalogue: Catalogue
    profiles: BatchProfiles
    erasures: BatchErasures
    claims: BatchClaims


def _is_confirmed(profile: ProfileState) -> bool:
    return profile.eligible or profile.merged_into is not None


def needs_claim(sync: Sync, needs: Needs) -> None:
    needs.profiles.add((sync.customer, UUID(sync.user)))
    needs.named.add((sync.customer, USER, sync.user))


def absorb_claim(unit: ClaimScope, row: InboxRow, sync: Sync) -> None:
    """In the bucket of the user, whose id may have been confirmed meanwhile."""
    user = UUID(sync.user)
    if sync.platform not in unit.catalogue.activations.of(sync.customer).platforms:
        return  # it was deleted meanwhile
    if unit.erasures.covering((sync.customer, USER, sync.user), row.received_at):
        return
    profile = unit.profiles.get(sync.customer, user)
    if unit.profiles.has_opted_out(profile, user):
        return
    if profile is None:
        profile = unit.profiles.create(sync.customer, user, milliseconds(row.received_at))
    named = (sync.customer, user, sync.platform, sync.platform_user_id)
    unit.claims.keep(profile, MatchClaimRow(row.bucket, row.id, *named, row.query.decode(), row.received_at))
