"""Erasing a user: the profile goes in its own bucket, each id in the bucket of its value.

A platform's id stays, owned by nobody, until the platform has removed it
(`pipeline.privacy.erasures`).
"""

from typing import Protocol
from uuid import UUID

from core import buckets
from core.clock import moment
from core.inbox import InboxKind
from pipeline.absorb.desired_state import DesiredState
from pipeline.absorb.loader import Needs
from pipeline.absorb.mappings import BatchMappings
from pipeline.absorb.memberships import BatchMemberships
from pipeline.absorb.outbox import Outbox
from pipeline.absorb.people import BatchErasures, BatchIdentities, BatchProfiles
from pipeline.absorb.platform_ids import identity_kind, platform_of
from pipeline.absorb.rows import InboxRow
from profiles.erased import USER
from profiles.messages import Erase, EraseId
from profiles.state import COOKIE, ProfileState


class ErasureScope(Protocol):
    """What the handlers of erasures may read and change."""

    profiles: BatchProfiles
    identities: BatchIdentities
    erasures: BatchErasures
    mappings: BatchMappings
    memberships: BatchMemberships
    desired: DesiredState
    outbox: Outbox


def needs_erase(erase: Erase, needs: Needs) -> None:
    needs.profiles.add((erase.customer, UUID(erase.user)))


def absorb_erase(unit: ErasureScope, row: InboxRow, erase: Erase) -> None:
    """In the user's bucket: forget the profile, and have each id forgotten in its own bucket.

    Profiles that were merged into the user go too. A profile that was merged itself asks its survivor to go.
    """
    unit.erasures.add((erase.customer, USER, erase.user), moment(erase.at))
    ids = set(erase.platform_ids)
    profile = unit.profiles.get(erase.customer, UUID(erase.user))
    if profile is not None:
        ids |= {(mapping.platform, mapping.platform_user_id) for mapping in unit.mappings.forget_all(profile)}
        if profile.merged_into is not None and not erase.along:
            _pass_on(unit, erase, str(profile.merged_into), along=False)
        _erase_ids(unit, profile, erase)
        unit.memberships.forget(profile)
        unit.profiles.erase(profile)
    for platform, value in sorted(ids):
        _send(unit, erase, identity_kind(platform), value)


def _erase_ids(unit: ErasureScope, profile: ProfileState, erase: Erase) -> None:
    for kind, value in profile.ids:
        if kind != COOKIE:
            _send(unit, erase, kind, value)
        elif value != erase.user:
            _pass_on(unit, erase, value, along=True)


def _pass_on(unit: ErasureScope, erase: Erase, user: str, *, along: bool) -> None:
    message = Erase(customer=erase.customer, user=user, at=erase.at, erasure=erase.erasure, along=along)
    unit.outbox.send(buckets.of_user(UUID(user)), InboxKind.ERASE, message)


def _send(unit: ErasureScope, erase: Erase, kind: str, value: str) -> None:
    message = EraseId(
        customer=erase.customer, kind=kind, value=value, users=[erase.user], at=erase.at, erasure=erase.erasure
    )
    unit.outbox.send(buckets.of_value(value), InboxKind.ERASE_ID, message)


def needs_erase_id(erase: EraseId, needs: Needs) -> None:
    needs.identities.add((erase.customer, erase.kind, erase.value))


def absorb_erase_id(unit: ErasureScope, row: InboxRow, erase: EraseId) -> None:
    """In the id's bucket. An id that somebody else has by now stays theirs."""
    key = (erase.customer, erase.kind, erase.value)
    users = [UUID(user) for user in erase.users]
    identity = unit.identities.get(*key)
    if identity is not None and identity.user_id not in {None, *users}:
        return
    platform = platform_of(erase.kind)
    if platform is None:
        unit.erasures.add(key, moment(erase.at))
        unit.identities.erase(key)
        return
    if identity is not None and identity.user_id is not None:
        identity.give_to(None)
    epoch = 0 if identity is None else identity.epoch
    if not unit.desired.take_back(platform, erase.value, users, UUID(erase.erasure), epoch):
        unit.identities.erase(key)
