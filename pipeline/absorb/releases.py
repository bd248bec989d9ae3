"""Giving up a platform's id: a user clears it, opts out, has too many, or is erased; or its time is over.

The user's bucket asks the id's bucket to take it back (`Release`), which says so to the owner's bucket (`Unmapped`).
Meanwhile the same user may have been synced with the id again, on another way: of the two, what was accepted later
holds.
"""

from collections.abc import Collection, Container, Iterable
from datetime import datetime
from typing import Protocol
from uuid import UUID

import msgspec

from core import buckets
from core.clock import milliseconds
from core.inbox import InboxKind
from core.messages import Sync
from pipeline.absorb.desired_state import DesiredState
from pipeline.absorb.loader import Needs
from pipeline.absorb.mappings import BatchMappings
from pipeline.absorb.outbox import Outbox
from pipeline.absorb.people import BatchIdentities, BatchMerges, BatchProfiles
from pipeline.absorb.rows import InboxRow
from profiles.identities import IdentityState, identity_kind
from profiles.state import DAY_MS, ProfileState
from usersync.messages import Release, Unmapped
from usersync.store import FullMapping


class IdScope(Protocol):
    """What the handlers in the bucket of a platform's id may read and change."""

    identities: BatchIdentities
    desired: DesiredState
    outbox: Outbox


class FormerOwnerScope(Protocol):
    """What the handler in the bucket of the former owner may read and change."""

    profiles: BatchProfiles
    mappings: BatchMappings
    outbox: Outbox


class ReleaseScope(Protocol):
    """What giving up a user's ids takes."""

    mappings: BatchMappings
    outbox: Outbox


class CrowdedScope(Protocol):
    """What giving up ids beyond the most takes."""

    merges: BatchMerges
    outbox: Outbox


# ── in the bucket of the id ──────────────────────────────────────────────────────────────────────────


def send_unmapped(
    outbox: Outbox,
    customer: int,
    platform: int,
    platform_user_id: str,
    identity: IdentityState,
    given_up: datetime | None = None,
) -> None:
    """Send the id's present owner, if there is one, that the id is no longer theirs.

    `given_up`: when it was accepted that they give it up, or are erased; None: another has the id.
    """
    if identity.user_id is not None:
        unmapped = Unmapped(
            customer=customer,
            platform=platform,
            platform_user_id=platform_user_id,
            user=str(identity.user_id),
            epoch=identity.epoch,
            given_up=given_up is not None,
        )
        outbox.send(buckets.of_user(identity.user_id), InboxKind.UNMAPPED, unmapped, accepted=given_up)


def needs_release(release: Release, needs: Needs) -> None:
    needs.identities.add((release.customer, identity_kind(release.platform), release.platform_user_id))


def absorb_release(unit: IdScope, row: InboxRow, release: Release) -> None:
    """In the id's bucket: it names nobody any more, if the user still owned it."""
    identity = unit.identities.get(release.customer, identity_kind(release.platform), release.platform_user_id)
    if identity is None or identity.user_id is None or identity.user_id != UUID(release.user):
        return
    take_back(unit, release.customer, release.platform, release.platform_user_id, row.received_at)


def take_back(
    unit: IdScope, customer: int, platform: int, platform_user_id: str, given_up: datetime | None = None
) -> None:
    """In the id's bucket, which has loaded it: it names nobody from now on, and the platform has to remove it.

    `given_up`: when it was accepted that the owner gives it up. A sync that was accepted later may have come here
    before: the owner's bucket, which knows, says so again.
    """
    identity = unit.identities.get(customer, identity_kind(platform), platform_user_id)
    if identity is not None:
        send_unmapped(unit.outbox, customer, platform, platform_user_id, identity, given_up)
        identity.give_to(None)
        unit.desired.disown(platform, platform_user_id, identity.epoch)


# ── in the bucket of the user ────────────────────────────────────────────────────────────────────────


def release_mappings(unit: ReleaseScope, profile: ProfileState, platforms: Container[int] | None = None) -> None:
    """Give up the user's ids (on some platforms, or on all): their buckets have the platforms remove them.

    What was synced later, if it has come before, is synced anew when the ids have been taken back.
    """
    for mapping in unit.mappings.of(profile):
        if platforms is None or mapping.platform in platforms:
            user = str(profile.user_id)
            send_release(unit.outbox, profile.customer, mapping.platform, mapping.platform_user_id, user)


def release_beyond(unit: CrowdedScope, mappings: Iterable[FullMapping]) -> None:
    """Give up ids of users who have too many on a platform, and note each as set aside."""
    for mapping in mappings:
        user = str(mapping.user_id)
        send_release(unit.outbox, mapping.customer, mapping.platform, mapping.platform_user_id, user)
        kind = identity_kind(mapping.platform)
        unit.merges.note_shared_id(mapping.customer, mapping.user_id, kind, mapping.platform_user_id)


def release_of_gone(unit: ReleaseScope, gone: Collection[tuple[int, UUID]]) -> None:
    """Give up the ids of these users (customer and user id), whose profiles are deleted already."""
    for mapping in unit.mappings.delete_of(gone):
        user = str(mapping.user_id)
        send_release(unit.outbox, mapping.customer, mapping.platform, mapping.platform_user_id, user)


def send_release(outbox: Outbox, customer: int, platform: int, platform_user_id: str, user: str) -> None:
    """Have the id taken back in its bucket, if it is the user's."""
    release = Release(customer=customer, platform=platform, platform_user_id=platform_user_id, user=user)
    outbox.send(buckets.of_value(platform_user_id), InboxKind.RELEASE, release)


def needs_unmapped(unmapped: Unmapped, needs: Needs) -> None:
    needs.profiles.add((unmapped.customer, UUID(unmapped.user)))


def absorb_unmapped(unit: FormerOwnerScope, row: InboxRow, unmapped: Unmapped) -> None:
    """In the former owner's bucket. An id that was given up, or erased, before it was synced again is synced anew."""
    profile = unit.profiles.get(unmapped.customer, UUID(unmapped.user))
    if profile is None:
        return
    if unmapped.given_up and not profile.opted_out:
        for mapping in unit.mappings.of(profile):
            if (mapping.platform, mapping.platform_user_id) == (unmapped.platform, unmapped.platform_user_id):
                _sync_again(unit.outbox, mapping, row.received_at)
    unit.mappings.forget(profile, unmapped.platform, unmapped.platform_user_id, unmapped.epoch)


def _sync_again(outbox: Outbox, mapping: FullMapping, after: datetime) -> None:
    """Have the id given to its user once more, if it was synced after that moment."""
    synced_at = milliseconds(mapping.synced_at)
    if mapping.synced_at > after:
        expires_at = None if mapping.expires_at is None else milliseconds(mapping.expires_at)
        sync = Sync(
            customer=mapping.customer,
            platform=mapping.platform,
            user=str(mapping.user_id),
            platform_user_id=mapping.platform_user_id,
            at=synced_at,
            ttl_days=None if expires_at is None else (expires_at - synced_at) // DAY_MS,
            extra=msgspec.json.decode(mapping.extra),
            resolved=True,
        )
        outbox.send(buckets.of_value(mapping.platform_user_id), InboxKind.SYNC, sync, accepted=mapping.synced_at)
