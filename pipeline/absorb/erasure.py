"""Erasing a user: the profile goes in its own bucket, each id in the bucket of its value.

An id of a platform that has to be told stays, named by nobody, until the platform has answered
(`pipeline.privacy.erasures`).
"""

from uuid import UUID

from activation import erased_ids
from core import buckets
from core.clock import moment
from core.inbox import InboxKind
from pipeline.absorb.loader import Needs
from pipeline.absorb.rows import Row
from pipeline.absorb.syncs import kind_of
from pipeline.absorb.unit_of_work import Work
from profiles import erased
from profiles.messages import Erase, EraseId, decode_erase, decode_erase_id
from profiles.state import COOKIE, ProfileState

__all__ = ["decode_erase", "decode_erase_id"]

PLATFORM = "platform:"


def needs_erase(erase: Erase, needs: Needs) -> None:
    needs.profiles.add((erase.customer, UUID(erase.user)))


def absorb_erase(work: Work, row: Row, erase: Erase) -> None:
    """In the user's bucket. Whoever was merged goes with the survivor, and asks it to go where asked alone."""
    work.erase((erase.customer, erased.USER, erase.user), moment(erase.at))
    ids = set(erase.platform_ids)
    profile = work.profile(erase.customer, UUID(erase.user))
    if profile is not None:
        ids |= {(mapping.platform, mapping.platform_user_id) for mapping in work.mappings_of(profile)}
        if profile.merged_into is not None and not erase.along:
            _pass_on(work, erase, str(profile.merged_into), along=False)
        _erase_ids(work, profile, erase)
        work.forget_memberships(profile)
        work.erase_profile(profile)
    for platform, value in sorted(ids):
        _send(work, erase, kind_of(platform), value)


def _erase_ids(work: Work, profile: ProfileState, erase: Erase) -> None:
    for kind, value in profile.ids:
        if kind != COOKIE:
            _send(work, erase, kind, value)
        elif value != erase.user:
            _pass_on(work, erase, value, along=True)


def _pass_on(work: Work, erase: Erase, user: str, *, along: bool) -> None:
    message = Erase(customer=erase.customer, user=user, at=erase.at, erasure=erase.erasure, along=along)
    work.send(buckets.of_user(UUID(user)), InboxKind.ERASE, message)


def _send(work: Work, erase: Erase, kind: str, value: str) -> None:
    message = EraseId(
        customer=erase.customer, kind=kind, value=value, users=[erase.user], at=erase.at, erasure=erase.erasure
    )
    work.send(buckets.of_value(value), InboxKind.ERASE_ID, message)


def needs_erase_id(erase: EraseId, needs: Needs) -> None:
    needs.identities.add((erase.customer, erase.kind, erase.value))


def absorb_erase_id(work: Work, row: Row, erase: EraseId) -> None:
    """In the id's bucket. An id that somebody else has by now stays theirs."""
    key = (erase.customer, erase.kind, erase.value)
    users = [UUID(user) for user in erase.users]
    identity = work.identity(*key)
    if identity is not None and identity.user_id not in {None, *users}:
        return
    if not erase.kind.startswith(PLATFORM):
        work.erase(key, moment(erase.at))
        work.erase_identity(key)
        return
    platform = int(erase.kind.removeprefix(PLATFORM))
    if identity is not None and identity.user_id is not None:
        identity.give_to(None)
    bucket = buckets.of_value(erase.value)
    activations = [activation for activation, _ in work.catalogue.activations.by_platform.get(platform, ())]
    epoch = 0 if identity is None else identity.epoch
    owed = erased_ids.take_back(
        work.cursor, bucket, activations, erase.value, users, UUID(erase.erasure), epoch, work.now
    )
    if owed:
        work.touched.deliveries.add((platform, bucket))
    else:
        work.erase_identity(key)
