"""A platform's id and its owner: messages between the bucket of the id and the bucket of the user.

The id's bucket knows who owns the id (its identity), the user's bucket knows the user's ids (the match table).
"""

from datetime import datetime
from typing import Protocol
from uuid import UUID

import msgspec

from core import buckets
from core.clock import milliseconds, moment
from core.inbox import InboxKind
from core.messages import Id, Match, Sync
from pipeline.absorb.kept_rows import BatchKeptRows
from pipeline.absorb.loader import Needs
from pipeline.absorb.mappings import BatchMappings
from pipeline.absorb.outbox import Outbox
from pipeline.absorb.people import BatchErasures, BatchIdentities, BatchProfiles
from pipeline.absorb.releases import send_release
from pipeline.absorb.rows import InboxRow
from pipeline.catalogue import Catalogue
from profiles.erased import USER, Mark
from profiles.identities import identity_kind
from profiles.messages import Erase, EraseId
from profiles.state import DAY_MS, USER_KEY, ProfileState, receipt_time
from usersync.messages import HandOver, Mapped
from usersync.store import FullMapping


class HandOverScope(Protocol):
    """What the handler in the bucket of a platform's id may read and change."""

    identities: BatchIdentities
    outbox: Outbox


class OwnerScope(Protocol):
    """What the handlers in the bucket of the user may read and change."""

    catalogue: Catalogue
    profiles: BatchProfiles
    erasures: BatchErasures
    kept_rows: BatchKeptRows
    mappings: BatchMappings
    outbox: Outbox


# ── in the bucket of the id ──────────────────────────────────────────────────────────────────────────


def needs_hand_over(hand_over: HandOver, needs: Needs) -> None:
    needs.identities.add((hand_over.customer, identity_kind(hand_over.platform), hand_over.platform_user_id))


def absorb_hand_over(unit: HandOverScope, row: InboxRow, hand_over: HandOver) -> None:
    """In the id's bucket: the survivor of a merge owns it. What was wanted stands until the survivor is evaluated."""
    identity = unit.identities.get(hand_over.customer, identity_kind(hand_over.platform), hand_over.platform_user_id)
    if identity is None or identity.user_id != UUID(hand_over.user):
        return
    winner = UUID(hand_over.winner)
    identity.give_to(winner, moment(hand_over.synced_at))
    mapped = Mapped(
        customer=hand_over.customer,
        platform=hand_over.platform,
        platform_user_id=hand_over.platform_user_id,
        user=hand_over.winner,
        epoch=identity.epoch,
        synced_at=hand_over.synced_at,
        expires_at=hand_over.expires_at,
        extra=hand_over.extra,
        inherited=True,
        resolved=True,
        accepted=hand_over.accepted,
        via=hand_over.user,
    )
    unit.outbox.send(buckets.of_user(winner), InboxKind.MAPPED, mapped)


# ── in the bucket of the user ────────────────────────────────────────────────────────────────────────


def needs_mapped(mapped: Mapped, needs: Needs) -> None:
    needs.profiles.add((mapped.customer, UUID(mapped.user)))
    needs.named.add((mapped.customer, USER, mapped.user))


def absorb_mapped(unit: OwnerScope, row: InboxRow, mapped: Mapped) -> None:
    """In the owner's bucket: the user is known by the id, unless the user has left or belongs to another by now."""
    user_id = UUID(mapped.user)
    if mapped.platform not in unit.catalogue.activations.of(mapped.customer).platforms:
        return  # it was deleted meanwhile
    profile = unit.profiles.get(mapped.customer, user_id)
    mark = _mark_of_owner(unit, row, mapped, profile)
    if mark is not None:
        _erase(unit.outbox, mapped, mark)
        return
    if profile is None and _goes_back(unit, mapped):
        return
    # what was handed over by a merge was another's when this user gave up ids
    own = profile if mapped.accepted is None else None
    given_up = own is not None and own.has_given_up(mapped.platform, receipt_time(row.received_at))
    if unit.profiles.has_opted_out(profile, user_id) or (profile is None and mapped.introduced) or given_up:
        send_release(unit.outbox, *_id_of(mapped), mapped.user)
        return
    if profile is None:
        profile = unit.profiles.create(mapped.customer, user_id, milliseconds(row.received_at))
    if not mapped.resolved and (login := unit.erasures.login_of(profile, row.received_at)):
        # the browser belongs to the customer's user who logged in with it last, and so do its ids
        _match(unit.outbox, mapped, (USER_KEY, login), mapped.user)
        return
    if profile.merged_into is not None:
        _pass_on(unit.outbox, mapped, profile.merged_into)
        return
    unit.kept_rows.note(profile, row)
    if not mapped.unconfirmed:
        profile.confirm()
    mapping = FullMapping(
        user_id=user_id,
        platform=mapped.platform,
        platform_user_id=mapped.platform_user_id,
        customer=mapped.customer,
        epoch=mapped.epoch,
        extra=msgspec.json.encode(mapped.extra).decode(),
        synced_at=_synced_at(row, mapped),
        expires_at=None if mapped.expires_at is None else moment(mapped.expires_at),
    )
    unit.mappings.keep(profile, mapping, inherited=mapped.inherited)


def _synced_at(row: InboxRow, mapped: Mapped) -> datetime:
    """Returns when the match was made: to the microsecond, where the row says so."""
    is_same = milliseconds(row.received_at) == mapped.synced_at
    return row.received_at if is_same else moment(mapped.synced_at)


def _id_of(mapped: Mapped) -> tuple[int, int, str]:
    return mapped.customer, mapped.platform, mapped.platform_user_id


def _mark_of_owner(unit: OwnerScope, row: InboxRow, mapped: Mapped, profile: ProfileState | None) -> Mark | None:
    """Returns the mark of the owner, if the owner was erased after the match was accepted or introduced."""
    key = (mapped.customer, USER, mapped.user)
    if profile is None and mapped.introduced:
        return unit.erasures.latest(key)
    accepted = row.received_at if mapped.accepted is None else min(row.received_at, moment(mapped.accepted))
    return unit.erasures.covering(key, accepted)


def _erase(outbox: Outbox, mapped: Mapped, mark: Mark) -> None:
    """The platform's id is an erased user's: it is taken back in its bucket, and the proof of the erasure notes it."""
    _erase_way(outbox, mapped, mark, (identity_kind(mapped.platform), mapped.platform_user_id))


def _erase_way(outbox: Outbox, mapped: Mapped, mark: Mark, one: Id) -> None:
    """Have an id erased that names the erased user of the match."""
    message = EraseId(
        customer=mapped.customer,
        kind=one[0],
        value=one[1],
        users=[mapped.user],
        at=milliseconds(mark.at),
        erasure=str(mark.erasure),
    )
    outbox.send(buckets.of_value(one[1]), InboxKind.ERASE_ID, message)


def _goes_back(unit: OwnerScope, mapped: Mapped) -> bool:
    """Whether a merged profile, or an id, led the match to a user who was erased before: then it goes again without it.

    The match itself was accepted after the erasure, so it belongs to who was named by it.
    """
    mark = unit.erasures.latest((mapped.customer, USER, mapped.user)) if mapped.via or mapped.way else None
    if mark is None:
        return False
    if mapped.via:
        _erase_tombstone(unit.outbox, mapped, mark)
        sync = Sync(
            customer=mapped.customer,
            platform=mapped.platform,
            user=mapped.via,
            platform_user_id=mapped.platform_user_id,
            at=mapped.synced_at,
            ttl_days=_ttl_days(mapped),
            extra=mapped.extra,
        )
        unit.outbox.send(buckets.of_value(mapped.platform_user_id), InboxKind.SYNC, sync)
    elif mapped.way:
        _erase_way(unit.outbox, mapped, mark, mapped.way[:2])
        _match(unit.outbox, mapped, mapped.way[:2], mapped.way[2])
    return True


def _erase_tombstone(outbox: Outbox, mapped: Mapped, mark: Mark) -> None:
    erase = Erase(
        customer=mapped.customer,
        user=mapped.via,
        at=milliseconds(mark.at),
        erasure=str(mark.erasure),
        along=True,
        origin=mapped.user,
        key_hash="" if mark.key_hash is None else mark.key_hash.hex(),
    )
    outbox.send(buckets.of_user(UUID(mapped.via)), InboxKind.ERASE, erase)


def _ttl_days(mapped: Mapped) -> int | None:
    return None if mapped.expires_at is None else (mapped.expires_at - mapped.synced_at) // DAY_MS


def _match(outbox: Outbox, mapped: Mapped, one: Id, browser: str) -> None:
    """The platform's id is of the user whom this id names; `browser`: because the user is logged in there."""
    match = Match(
        customer=mapped.customer,
        platform=mapped.platform,
        platform_user_id=mapped.platform_user_id,
        id=one,
        at=mapped.synced_at,
        ttl_days=_ttl_days(mapped),
        extra=mapped.extra,
        browser=browser,
    )
    outbox.send(buckets.of_value(one[1]), InboxKind.MATCH, match)


def _pass_on(outbox: Outbox, mapped: Mapped, survivor: UUID) -> None:
    """The owner was merged in the meantime: its survivor takes the id over."""
    hand_over = HandOver(
        customer=mapped.customer,
        platform=mapped.platform,
        platform_user_id=mapped.platform_user_id,
        user=mapped.user,
        winner=str(survivor),
        synced_at=mapped.synced_at,
        expires_at=mapped.expires_at,
        extra=mapped.extra,
        accepted=mapped.accepted,
    )
    outbox.send(buckets.of_value(mapped.platform_user_id), InboxKind.HAND_OVER, hand_over)
