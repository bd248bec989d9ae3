"""User sync: a platform's id gets an owner in its own bucket, and the owner's bucket is told."""

from collections.abc import Container
from datetime import timedelta
from uuid import UUID

import msgspec

from activation import desired_state
from core import buckets
from core.clock import milliseconds, moment
from core.inbox import InboxKind
from core.messages import Match, Sync, decode_sync
from pipeline.absorb.loader import Needs
from pipeline.absorb.rows import Row
from pipeline.absorb.unit_of_work import Work
from profiles.erased import USER
from profiles.identities import IdentityState
from profiles.state import USER_KEY, ProfileState
from usersync.messages import (
    HandOver,
    Mapped,
    Release,
    Unmapped,
    decode_hand_over,
    decode_mapped,
    decode_release,
    decode_unmapped,
)
from usersync.store import FullMapping

__all__ = ["decode_hand_over", "decode_mapped", "decode_release", "decode_sync", "decode_unmapped"]

DAY_MS = round(timedelta(days=1).total_seconds() * 1000)


def kind_of(platform: int) -> str:
    """The identity kind of a platform's own ids."""
    return f"platform:{platform}"


def needs_sync(sync: Sync, needs: Needs) -> None:
    needs.named.add((sync.customer, USER, sync.user))
    if sync.platform_user_id:
        needs.identities.add((sync.customer, kind_of(sync.platform), sync.platform_user_id))
    else:
        needs.profiles.add((sync.customer, UUID(sync.user)))


def absorb_sync(work: Work, row: Row, sync: Sync) -> None:
    """In the id's bucket: the user owns the id now. In the user's, where the id is empty: the ids go."""
    if work.was_erased((sync.customer, USER, sync.user), row.received_at):
        return
    if not sync.platform_user_id:
        _clear(work, sync)
        return
    identity = work.identity(sync.customer, kind_of(sync.platform), sync.platform_user_id)
    owner, inherited = UUID(sync.user), False
    if identity is None:
        identity = work.new_identity(sync.customer, kind_of(sync.platform), sync.platform_user_id, owner)
        identity.epoch = 1
    elif identity.user_id != owner:
        _tell_former_owner(work, sync.customer, sync.platform, sync.platform_user_id, identity)
        identity.give_to(owner)
        inherited = True  # also where the user was merged, and the id goes back to where it was
    expires_at = None if sync.ttl_days is None else sync.at + sync.ttl_days * DAY_MS
    identity.expire_at(None if expires_at is None else moment(expires_at))
    mapped = Mapped(
        sync.customer,
        sync.platform,
        sync.platform_user_id,
        sync.user,
        identity.epoch,
        sync.at,
        expires_at,
        dict(sync.extra),
        inherited,
        sync.resolved,
    )
    work.send(buckets.of_user(owner), InboxKind.MAPPED, mapped)


def _clear(work: Work, sync: Sync) -> None:
    profile = work.profile(sync.customer, UUID(sync.user))
    if profile is None:
        return
    if profile.merged_into is not None:
        sync.user = str(profile.merged_into)
        work.send(buckets.of_user(profile.merged_into), InboxKind.SYNC, sync)
        return
    release_mappings(work, profile, {sync.platform})


def release_mappings(work: Work, profile: ProfileState, platforms: Container[int] | None = None) -> None:
    """Give up the user's ids (on some platforms, or on all): their buckets tell the platforms."""
    for mapping in work.mappings_of(profile):
        if platforms is None or mapping.platform in platforms:
            release = Release(profile.customer, mapping.platform, mapping.platform_user_id, str(profile.user_id))
            work.send(buckets.of_value(mapping.platform_user_id), InboxKind.RELEASE, release)


def _tell_former_owner(
    work: Work, customer: int, platform: int, platform_user_id: str, identity: IdentityState
) -> None:
    if identity.user_id is not None:
        unmapped = Unmapped(customer, platform, platform_user_id, str(identity.user_id), identity.epoch)
        work.send(buckets.of_user(identity.user_id), InboxKind.UNMAPPED, unmapped)


def _disown(work: Work, platform: int, platform_user_id: str, identity: IdentityState) -> None:
    activations = [key for key, _ in work.catalogue.activations.by_platform.get(platform, ())]
    desired_state.disown(work.cursor, platform_user_id, activations, identity.epoch, work.now)
    work.touched.deliveries.add((platform, buckets.of_value(platform_user_id)))


def needs_release(release: Release, needs: Needs) -> None:
    needs.identities.add((release.customer, kind_of(release.platform), release.platform_user_id))


def absorb_release(work: Work, row: Row, release: Release) -> None:
    """In the id's bucket: it names nobody any more, if the user still owned it."""
    identity = work.identity(release.customer, kind_of(release.platform), release.platform_user_id)
    if identity is None or identity.user_id is None or identity.user_id != UUID(release.user):
        return
    take_back(work, release.customer, release.platform, release.platform_user_id)


def take_back(work: Work, customer: int, platform: int, platform_user_id: str) -> None:
    """In the id's bucket, which has loaded it: it names nobody from now on, and the platform is told."""
    identity = work.identity(customer, kind_of(platform), platform_user_id)
    if identity is not None:
        _tell_former_owner(work, customer, platform, platform_user_id, identity)
        identity.give_to(None)
        _disown(work, platform, platform_user_id, identity)


def needs_hand_over(hand_over: HandOver, needs: Needs) -> None:
    needs.identities.add((hand_over.customer, kind_of(hand_over.platform), hand_over.platform_user_id))


def absorb_hand_over(work: Work, row: Row, hand_over: HandOver) -> None:
    """In the id's bucket: the survivor of a merge owns it, and what was wanted stands until it says."""
    identity = work.identity(hand_over.customer, kind_of(hand_over.platform), hand_over.platform_user_id)
    if identity is None or identity.user_id != UUID(hand_over.user):
        return
    winner = UUID(hand_over.winner)
    identity.give_to(winner)
    mapped = Mapped(
        hand_over.customer,
        hand_over.platform,
        hand_over.platform_user_id,
        hand_over.winner,
        identity.epoch,
        hand_over.synced_at,
        hand_over.expires_at,
        hand_over.extra,
        inherited=True,
        resolved=True,
    )
    work.send(buckets.of_user(winner), InboxKind.MAPPED, mapped)


def needs_mapped(mapped: Mapped, needs: Needs) -> None:
    needs.profiles.add((mapped.customer, UUID(mapped.user)))


def absorb_mapped(work: Work, row: Row, mapped: Mapped) -> None:
    """In the owner's bucket."""
    user_id = UUID(mapped.user)
    profile = work.profile(mapped.customer, user_id)
    if work.has_opted_out(profile, user_id) or work.was_erased((mapped.customer, USER, mapped.user), row.received_at):
        release = Release(mapped.customer, mapped.platform, mapped.platform_user_id, mapped.user)
        work.send(buckets.of_value(mapped.platform_user_id), InboxKind.RELEASE, release)
        return
    if profile is None:
        profile = work.new_profile(mapped.customer, user_id, milliseconds(row.received_at))
    if profile.login and not mapped.resolved:
        _match_login(work, mapped, profile.login)
        return
    if profile.merged_into is not None:
        _pass_on(work, mapped, profile)
        return
    profile.confirm()
    expires_at = None if mapped.expires_at is None else moment(mapped.expires_at)
    mapping = FullMapping(
        user_id,
        mapped.platform,
        mapped.platform_user_id,
        mapped.customer,
        mapped.epoch,
        msgspec.json.encode(mapped.extra).decode(),
        moment(mapped.synced_at),
        expires_at,
    )
    work.keep_mapping(profile, mapping, inherited=mapped.inherited)


def _match_login(work: Work, mapped: Mapped, login: str) -> None:
    """The browser belongs to the customer user who logged in with it last, and so do its ids."""
    days = None if mapped.expires_at is None else (mapped.expires_at - mapped.synced_at) // DAY_MS
    match = Match(
        mapped.customer,
        mapped.platform,
        mapped.platform_user_id,
        (USER_KEY, login),
        mapped.synced_at,
        days,
        mapped.extra,
    )
    work.send(buckets.of_value(login), InboxKind.MATCH, match)


def _pass_on(work: Work, mapped: Mapped, profile: ProfileState) -> None:
    """The owner was merged in the meantime: its survivor takes the id over."""
    hand_over = HandOver(
        mapped.customer,
        mapped.platform,
        mapped.platform_user_id,
        mapped.user,
        str(profile.merged_into),
        mapped.synced_at,
        mapped.expires_at,
        mapped.extra,
    )
    work.send(buckets.of_value(mapped.platform_user_id), InboxKind.HAND_OVER, hand_over)


def needs_unmapped(unmapped: Unmapped, needs: Needs) -> None:
    needs.profiles.add((unmapped.customer, UUID(unmapped.user)))


def absorb_unmapped(work: Work, row: Row, unmapped: Unmapped) -> None:
    """In the former owner's bucket."""
    profile = work.profile(unmapped.customer, UUID(unmapped.user))
    if profile is not None:
        work.forget_mapping(profile, unmapped.platform, unmapped.platform_user_id, unmapped.epoch)
