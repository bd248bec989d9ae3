"""User sync: what browsers, servers and match tables say about a platform's id of a user.

The id gets an owner in the bucket of its value; a message says so to the owner's bucket (`platform_ids`).
"""

from typing import Protocol
from uuid import UUID

from core import buckets
from core.clock import milliseconds, moment
from core.ids.spelling import of_guid
from core.inbox import InboxKind
from core.messages import Match, Sync
from pipeline.absorb.deleted_platforms import DeletedPlatforms
from pipeline.absorb.loader import Needs
from pipeline.absorb.mappings import BatchMappings
from pipeline.absorb.outbox import Outbox
from pipeline.absorb.people import BatchErasures, BatchIdentities, BatchProfiles
from pipeline.absorb.releases import release_mappings, send_release, send_unmapped
from pipeline.absorb.rows import InboxRow
from pipeline.catalogue import Catalogue
from profiles.erased import USER, Mark
from profiles.identities import identity_kind
from profiles.messages import EraseId, LogOut
from profiles.state import DAY_MS, receipt_time
from usersync.messages import Mapped


class SyncScope(Protocol):
    """What the handlers of syncs and matches may read and change."""

    catalogue: Catalogue
    deleted_platforms: DeletedPlatforms
    profiles: BatchProfiles
    identities: BatchIdentities
    erasures: BatchErasures
    mappings: BatchMappings
    outbox: Outbox


def needs_sync(sync: Sync, needs: Needs) -> None:
    needs.named.add((sync.customer, USER, sync.user))
    if sync.platform_user_id:
        needs.identities.add((sync.customer, identity_kind(sync.platform), sync.platform_user_id))
    else:
        needs.profiles.add((sync.customer, UUID(sync.user)))


def absorb_sync(unit: SyncScope, row: InboxRow, sync: Sync) -> None:
    """In the id's bucket: the user owns the id now. In the user's, where the id is empty: the ids go.

    A user who is not confirmed takes nobody's id away: see `pipeline.absorb.claims`.
    """
    owner = UUID(sync.user)
    if sync.introduced and unit.erasures.covering((sync.customer, USER, sync.user), row.received_at):
        return  # any other is given its id, and their bucket has it erased: it is no former owner's any more
    index = unit.catalogue.activations.of(sync.customer)
    if sync.platform not in index.platforms:
        return  # it was deleted meanwhile
    if not sync.platform_user_id:
        _clear(unit, row, sync)
        return
    if sync.platform in index.guids and _spell(unit, sync):
        return
    key, inherited = (sync.customer, identity_kind(sync.platform), sync.platform_user_id), False
    identity = unit.identities.get(*key)
    if identity is None:
        identity = unit.identities.create(*key, owner)
        identity.epoch += 1
        identity.since = row.received_at
    elif identity.user_id != owner:
        if sync.unconfirmed and identity.user_id is not None:
            unit.outbox.send(buckets.of_user(owner), InboxKind.CLAIM, sync)
            return
        if identity.user_id is not None and unit.identities.is_later(key, row.received_at):
            return  # it came round about, and somebody else has got the id since
        send_unmapped(unit.outbox, sync.customer, sync.platform, sync.platform_user_id, identity)
        identity.give_to(owner, row.received_at)
        inherited = True  # also where the user was merged, and the id goes back to where it was
    expires_at = None if sync.ttl_days is None else sync.at + sync.ttl_days * DAY_MS
    identity.expire_at(None if expires_at is None else moment(expires_at))
    mapped = Mapped(
        customer=sync.customer,
        platform=sync.platform,
        platform_user_id=sync.platform_user_id,
        user=sync.user,
        epoch=identity.epoch,
        synced_at=sync.at,
        expires_at=expires_at,
        extra=dict(sync.extra),
        inherited=inherited,
        resolved=sync.resolved,
        introduced=sync.introduced,
        way=sync.way,
        unconfirmed=sync.unconfirmed,
    )
    unit.outbox.send(buckets.of_user(owner), InboxKind.MAPPED, mapped)


def _spell(unit: SyncScope, sync: Sync) -> bool:
    """Send the sync to the bucket of the GUID in lower case, if it is written otherwise. Returns whether it was.

    Who has had the id in the other spelling, from before there was one, gives that up.
    """
    written, spelled = sync.platform_user_id, of_guid(sync.platform_user_id)
    if written == spelled:
        return False
    identity = unit.identities.get(sync.customer, identity_kind(sync.platform), written)
    if identity is not None and identity.user_id is not None:
        send_release(unit.outbox, sync.customer, sync.platform, written, str(identity.user_id))
    sync.platform_user_id = spelled
    unit.outbox.send(buckets.of_value(spelled), InboxKind.SYNC, sync)
    return True


def _clear(unit: SyncScope, row: InboxRow, sync: Sync) -> None:
    profile = unit.profiles.get(sync.customer, UUID(sync.user))
    if profile is None:
        return
    if profile.merged_into is not None:
        sync.user = str(profile.merged_into)
        unit.outbox.send(buckets.of_user(profile.merged_into), InboxKind.SYNC, sync)
        return
    profile.give_up_ids(receipt_time(row.received_at), sync.platform)
    release_mappings(unit, profile, {sync.platform})


def needs_match(match: Match, needs: Needs) -> None:
    needs.identities.add((match.customer, *match.id))
    needs.named.add((match.customer, *match.id))


def absorb_match(unit: SyncScope, row: InboxRow, match: Match) -> None:
    """In the bucket of the id that names the user: the line becomes a sync of that user.

    The user is created where the id is new, as by an event.
    """
    kind, value = match.id
    if unit.deleted_platforms.had(match.customer, kind):
        return
    mark = unit.erasures.covering((match.customer, kind, value), row.received_at)
    if mark is not None:
        _erase_with_user(unit, match, mark)
        return
    identity = unit.identities.get(match.customer, kind, value)
    if identity is None or identity.user_id is None:
        if match.browser and (mark := unit.erasures.latest((match.customer, kind, value))):
            _back_to_browser(unit, match, mark)
            return
        owner = unit.profiles.new_user_id(match.customer, row.bucket)
        if identity is None:
            unit.identities.create(match.customer, kind, value, owner)
        else:
            identity.give_to(owner)
        profile = unit.profiles.create(match.customer, owner, milliseconds(row.received_at))
        profile.add_id(kind, value)
        profile.confirm()
    else:
        owner = identity.user_id
    sync = Sync(
        customer=match.customer,
        platform=match.platform,
        user=str(owner),
        platform_user_id=match.platform_user_id,
        at=match.at,
        ttl_days=match.ttl_days,
        extra=match.extra,
        resolved=True,
        way=(kind, value, match.browser),
    )
    unit.outbox.send(buckets.of_value(match.platform_user_id), InboxKind.SYNC, sync)


def _erase_with_user(unit: SyncScope, match: Match, mark: Mark) -> None:
    """The user was erased since: so is the id, unless it is somebody's by what was accepted after the match."""
    message = EraseId(
        customer=match.customer,
        kind=identity_kind(match.platform),
        value=match.platform_user_id,
        users=[match.browser] if match.browser else [],
        at=milliseconds(mark.at),
        erasure=str(mark.erasure),
        named=True,
    )
    unit.outbox.send(buckets.of_value(match.platform_user_id), InboxKind.ERASE_ID, message)


def _back_to_browser(unit: SyncScope, match: Match, mark: Mark) -> None:
    """The user who was logged in with the browser is erased: the platform's id is of whose the browser is."""
    out = LogOut(customer=match.customer, key=match.id[1], at=milliseconds(mark.at))
    unit.outbox.send(buckets.of_user(UUID(match.browser)), InboxKind.LOG_OUT, out)
    sync = Sync(
        customer=match.customer,
        platform=match.platform,
        user=match.browser,
        platform_user_id=match.platform_user_id,
        at=match.at,
        ttl_days=match.ttl_days,
        extra=match.extra,
    )
    unit.outbox.send(buckets.of_value(match.platform_user_id), InboxKind.SYNC, sync)
