"""Erasing a user: the profile goes in its own bucket, each id in the bucket of its value.

A person is all that merges would make one: an erasure takes the ways that merges take, from a profile to its ids, to
the profiles that were merged into it and to the one that it was merged into, and along links that were accepted before
the erasure and are still under way. Each bucket remembers what was erased, and drops what was accepted before.

A platform's id stays, owned by nobody, until the platform has removed it (`pipeline.privacy.erasures`).
"""

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

import msgspec

from core import buckets
from core.clock import milliseconds, moment
from core.inbox import InboxKind
from core.messages import Id
from pipeline.absorb.claims import BatchClaims
from pipeline.absorb.desired_state import DesiredState
from pipeline.absorb.found_ids import BatchFoundIds
from pipeline.absorb.kept_rows import BatchKeptRows
from pipeline.absorb.listings import BatchListings
from pipeline.absorb.loader import Needs
from pipeline.absorb.mappings import BatchMappings
from pipeline.absorb.memberships import BatchMemberships
from pipeline.absorb.outbox import Outbox
from pipeline.absorb.people import BatchErasures, BatchIdentities, BatchMerges, BatchProfiles
from pipeline.absorb.releases import send_unmapped
from pipeline.absorb.rows import InboxRow
from pipeline.absorb.suspects import BatchSuspects
from profiles.erased import NOBODY, USER, Mark, id_hashes
from profiles.identities import identity_kind, platform_of
from profiles.messages import Erase, EraseId, ForgetSharedId, LogOut
from profiles.state import COOKIE, MOST_IDS, USER_KEY, ProfileState

EVER = moment(0)


class ErasureScope(Protocol):
    """What the handlers of erasures may read and change."""

    profiles: BatchProfiles
    identities: BatchIdentities
    erasures: BatchErasures
    merges: BatchMerges
    claims: BatchClaims
    mappings: BatchMappings
    memberships: BatchMemberships
    listings: BatchListings
    found_ids: BatchFoundIds
    suspects: BatchSuspects
    kept_rows: BatchKeptRows
    desired: DesiredState
    outbox: Outbox


def needs_erase(erase: Erase, needs: Needs) -> None:
    key = (erase.customer, UUID(erase.user))
    needs.profiles.add(key)
    needs.leaving.add(key)


def absorb_erase(unit: ErasureScope, row: InboxRow, erase: Erase) -> None:
    """In the user's bucket: forget the profile, and have each id forgotten in its own bucket.

    Profiles that were merged into the user go too, and the one that the user was merged into.
    """
    user = UUID(erase.user)
    profile = unit.profiles.get(erase.customer, user)
    if profile is not None and erase.by is not None and profile.merged_into is not None:
        _follow_merge(unit, erase, profile.merged_into)
        return
    if profile is not None and _is_somebody_else(profile, erase):
        _part(unit, profile, erase)
        return
    if profile is not None and _came_back(unit, profile, erase):
        return
    erase.key_hash = hash_of_key(erase.customer, profile.key if profile else None) or erase.key_hash
    unit.erasures.add((erase.customer, USER, erase.user), _mark(erase))
    since = None if profile is None else moment(profile.created_at)
    unit.found_ids.note(row.bucket, erase.erasure, erase.user, since)
    ids = {(identity_kind(platform), value) for platform, value in erase.platform_ids}
    ids |= unit.erasures.had(erase.customer, user)
    ids |= {erase.by} if erase.by is not None and erase.by[0] != COOKIE else set()
    losers: list[str] = []
    unit.claims.forget({(erase.customer, user)})
    if profile is not None:
        ids |= {(identity_kind(m.platform), m.platform_user_id) for m in unit.mappings.forget_all(profile)}
        ids |= {(kind, value) for kind, value in profile.ids if kind != COOKIE}
        losers = _losers(unit, profile)
        _pass_on(unit, erase, profile, losers)
        unit.memberships.forget(profile)
        unit.listings.take(profile)
        unit.profiles.erase(profile)
    _forget_where_set_aside(unit, erase, COOKIE, erase.user)
    users = [erase.user, *losers, *erase.trail]
    for one in sorted(ids):
        _erase_id(unit, erase, one, users, 1 if profile is None else len(profile.ids))
    unit.outbox.send_again(unit.kept_rows.take(erase.customer, user, moment(erase.at)))


def _erase_id(unit: ErasureScope, erase: Erase, one: Id, users: list[str], ids: int) -> None:
    """Have an id of the user, one of so many, erased in its bucket."""
    kind, value = one
    message = EraseId(
        customer=erase.customer,
        kind=kind,
        value=value,
        users=users,
        at=erase.at,
        erasure=erase.erasure,
        key_hash=erase.key_hash,
        ids=ids,
    )
    unit.outbox.send(buckets.of_value(value), InboxKind.ERASE_ID, message)


def _came_back(unit: ErasureScope, profile: ProfileState, erase: Erase) -> bool:
    """Whether retention found a user unseen for long who has been seen before this row was absorbed."""
    by_retention = not erase.along and UUID(erase.erasure) == NOBODY
    return by_retention and unit.profiles.seen_since(profile, moment(erase.at))


def _follow_merge(unit: ErasureScope, erase: Erase, survivor: UUID) -> None:
    """An id led to a merged profile: its survivor judges. If that one goes, so does this profile."""
    if erase.user not in erase.trail:
        following = msgspec.structs.replace(erase, user=str(survivor), trail=[*erase.trail, erase.user])
        unit.outbox.send(buckets.of_user(survivor), InboxKind.ERASE, following)


def _is_somebody_else(profile: ProfileState, erase: Erase) -> bool:
    """Whether a profile that nobody asked to erase is not the person who is erased, judged as merges are."""
    if not erase.along:
        return False
    if profile.created_at > erase.at:
        # the person came again after the erasure; but a merged profile goes with the one that took its place
        return profile.merged_into is None or str(profile.merged_into) != erase.origin
    if profile.merged_into is not None:
        return False
    if not may_be_same(profile, erase.key_hash):
        return True
    return erase.by is not None and len(profile.ids) + erase.ids > MOST_IDS


def may_be_same(profile: ProfileState, key_hash: str) -> bool:
    """Whether the profile is not another of the customer's users than the one whose id has this hash (empty: none)."""
    return not key_hash or profile.key is None or key_hash in _key_hashes(profile.customer, profile.key)


def may_be_of(mark: Mark, profile: ProfileState | None) -> bool:
    """Whether the profile, if there is one, may be the person of the mark."""
    return profile is None or may_be_same(profile, _hex(mark))


def is_key_of(mark: Mark, customer: int, key: str | None) -> bool:
    """Whether the customer's own id, if there is one, may be of the person of the mark."""
    return key is None or mark.key_hash is None or _hex(mark) in _key_hashes(customer, key)


def hash_of_key(customer: int, key: str | None) -> str:
    """Returns what messages say in place of the customer's own id of an erased person; empty where there is none."""
    return "" if key is None else _key_hashes(customer, key)[0]


def _key_hashes(customer: int, key: str) -> list[str]:
    return [one.hex() for one in id_hashes((customer, USER_KEY, key))]


def _part(unit: ErasureScope, profile: ProfileState, erase: Erase) -> None:
    """The profile stays, and forgets what it has from the erased person."""
    profile.drop_id(COOKIE, erase.origin)
    if erase.by is not None and erase.by[0] != USER_KEY and profile.created_at <= erase.at:
        profile.drop_id(*erase.by)
        unit.merges.forget_cause(profile, *erase.by)


def _losers(unit: ErasureScope, profile: ProfileState) -> list[str]:
    """Returns the profiles that were merged into this one, or have been asked to."""
    named = [value for kind, value in profile.ids if kind == COOKIE]
    merged = [str(loser) for loser in unit.merges.losers_of(profile)]
    return [user for user in dict.fromkeys([*named, *merged]) if user != str(profile.user_id)]


def _pass_on(unit: ErasureScope, erase: Erase, profile: ProfileState, losers: Sequence[str]) -> None:
    survivor = [] if profile.merged_into is None else [str(profile.merged_into)]
    for user in [*survivor, *losers]:
        message = Erase(
            customer=erase.customer,
            user=user,
            at=erase.at,
            erasure=erase.erasure,
            along=True,
            origin=erase.user,
            key_hash=erase.key_hash,
            ids=len(profile.ids),
        )
        unit.outbox.send(buckets.of_user(UUID(user)), InboxKind.ERASE, message)


def _mark(erase: Erase | EraseId) -> Mark:
    return Mark(moment(erase.at), UUID(erase.erasure), bytes.fromhex(erase.key_hash) or None)


def needs_erase_id(erase: EraseId, needs: Needs) -> None:
    needs.identities.add((erase.customer, erase.kind, erase.value))


def absorb_erase_id(unit: ErasureScope, row: InboxRow, erase: EraseId) -> None:
    """In the id's bucket: the id names nobody any more.

    A platform's id that somebody else has by now stays theirs. Another id that names another profile names the same
    person, if they may be one: that profile's bucket judges.
    """
    platform = platform_of(erase.kind)
    if platform is not None:
        _erase_platform_id(unit, row, erase, platform)
        return
    key = (erase.customer, erase.kind, erase.value)
    if erase.kind == USER_KEY:
        erase.key_hash = hash_of_key(erase.customer, erase.value)
    identity = unit.identities.get(*key)
    owner = None if identity is None else identity.user_id
    if owner is None or str(owner) in erase.users:
        if erase.kind == USER_KEY or erase.ids < MOST_IDS:  # else many share it, and it says nothing about anybody
            unit.erasures.add(key, _mark(erase))
        unit.found_ids.note(row.bucket, erase.erasure, erase.value)
        unit.identities.erase(key)
        unit.suspects.forget(key)
        _forget_where_set_aside(unit, erase, erase.kind, erase.value)
        if erase.kind == USER_KEY:
            _log_out_everywhere(unit, erase)
        return
    if unit.suspects.forget_waiting(key, erase.users):
        return  # the id is suspect: it does not make the owner the same person
    message = Erase(
        customer=erase.customer,
        user=str(owner),
        at=erase.at,
        erasure=erase.erasure,
        along=True,
        origin=erase.users[0] if erase.users else "",
        key_hash=erase.key_hash,
        ids=erase.ids,
        by=(erase.kind, erase.value),
    )
    unit.outbox.send(buckets.of_user(owner), InboxKind.ERASE, message)


def _log_out_everywhere(unit: ErasureScope, erase: EraseId) -> None:
    """Browsers of others with which the customer's user was logged in hold the id as well."""
    message = LogOut(customer=erase.customer, key=erase.value, at=erase.at)
    for bucket in sorted(unit.profiles.buckets_logged_in(erase.customer, erase.value)):
        unit.outbox.send(bucket, InboxKind.LOG_OUT, message)


def _forget_where_set_aside(unit: ErasureScope, erase: Erase | EraseId, kind: str, value: str) -> None:
    """Other users, who had no room for the id, hold it as well."""
    message = ForgetSharedId(customer=erase.customer, kind=kind, value=value)
    for bucket in sorted(unit.merges.buckets_with_shared_id(erase.customer, kind, value)):
        unit.outbox.send(bucket, InboxKind.FORGET_SHARED_ID, message)


def needs_forget_shared_id(message: ForgetSharedId, needs: Needs) -> None:
    """Nothing: the rows of ids that were set aside are few, and are found by their index."""


def absorb_forget_shared_id(unit: ErasureScope, row: InboxRow, message: ForgetSharedId) -> None:
    """In the bucket of users who had no room for the id."""
    unit.merges.forget_shared_id(row.bucket, message.customer, message.kind, message.value)


def needs_log_out(message: LogOut, needs: Needs) -> None:
    """Nothing: logins of erased users are rare, and are found by their index."""


def absorb_log_out(unit: ErasureScope, row: InboxRow, message: LogOut) -> None:
    """In the bucket of browsers: whoever uses them now is no longer the erased user."""
    unit.profiles.log_out(row.bucket, message.customer, message.key, moment(message.at))


def _erase_platform_id(unit: ErasureScope, row: InboxRow, erase: EraseId, platform: int) -> None:
    """Who owns the id, or gave it up last, decides; not whom its deliveries name, which follow later."""
    key = (erase.customer, erase.kind, erase.value)
    users = [UUID(user) for user in erase.users]
    identity = unit.identities.get(*key)
    holder = unit.identities.holder(key)
    is_named = erase.named and identity is not None and not unit.identities.is_later(key, row.received_at)
    if holder is not None and holder not in users and not is_named:
        unit.desired.name_holder(platform, erase.value, users, holder)
        return
    # it may have been another's before, and the log quotes it from then as well
    since = EVER if is_named or (identity is not None and identity.epoch > 1) else None
    unit.found_ids.note(row.bucket, erase.erasure, erase.value, since)
    if identity is not None and holder is not None:
        # a sync that was accepted after the erasure may have come here before it
        lost = row.received_at if is_named else moment(erase.at)
        send_unmapped(unit.outbox, erase.customer, platform, erase.value, identity, lost)
        identity.take_from_erased()
    _forget_where_set_aside(unit, erase, erase.kind, erase.value)
    epoch = 0 if identity is None else identity.epoch
    owed = unit.desired.take_back(platform, erase.value, users, UUID(erase.erasure), epoch, whole=holder is not None)
    if not owed:
        unit.identities.erase(key)


# ── what other handlers find ─────────────────────────────────────────────────────────────────────────


def extend_to_user(outbox: Outbox, customer: int, mark: Mark, user: str, by: Id | None, origin: str = "") -> None:
    """A row that was accepted before the erasure says that the erased person and the user are one.

    `by` is the id that both have; None where they were merged. `origin` is a user id of the erased person.
    """
    message = Erase(
        customer=customer,
        user=user,
        at=milliseconds(mark.at),
        erasure=str(mark.erasure),
        along=True,
        origin=origin,
        key_hash=_hex(mark),
        by=by,
    )
    outbox.send(buckets.of_user(UUID(user)), InboxKind.ERASE, message)


def extend_to_id(outbox: Outbox, customer: int, mark: Mark, one: Id, users: Sequence[str] = ()) -> None:
    """A row that was accepted before the erasure says that this is an id of the erased person, who is `users`."""
    kind, value = one
    if kind == COOKIE:
        extend_to_user(outbox, customer, mark, value, one, *users[:1])
        return
    message = EraseId(
        customer=customer,
        kind=kind,
        value=value,
        users=list(users),
        at=milliseconds(mark.at),
        erasure=str(mark.erasure),
        key_hash=_hex(mark),
    )
    outbox.send(buckets.of_value(value), InboxKind.ERASE_ID, message)


def _hex(mark: Mark) -> str:
    return "" if mark.key_hash is None else mark.key_hash.hex()
