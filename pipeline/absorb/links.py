"""Links: what the bucket of a profile tells the buckets of ids that are new to it."""

from typing import Protocol
from uuid import UUID

from core import buckets
from core.inbox import InboxKind
from core.messages import Id
from pipeline.absorb.outbox import Outbox
from pipeline.absorb.people import BatchIdentities, BatchMerges, BatchProfiles
from profiles.messages import LinkIdentity, Meet, MergeCause
from profiles.state import COOKIE, ProfileState


class LinkScope(Protocol):
    """What is read and changed where ids are linked."""

    profiles: BatchProfiles
    identities: BatchIdentities
    merges: BatchMerges
    outbox: Outbox


def link_ids(unit: LinkScope, profile: ProfileState, ids: list[Id], pixel: int, at: int) -> None:
    """Send a link to the buckets of ids that are new to the profile; to as many as the profile has room for."""
    for kind, value in [(kind, value) for kind, value in ids if not profile.knows(kind, value)]:
        if profile.is_full:
            unit.merges.note_shared_id(profile.customer, profile.user_id, kind, value)
        else:
            profile.add_id(kind, value)
            _send_link(unit, profile, (kind, value), pixel, at)


def _send_link(unit: LinkScope, profile: ProfileState, one: Id, pixel: int, at: int) -> None:
    kind, value = one
    if kind == COOKIE:
        if value != str(profile.user_id):
            meet = meeting(profile, value, MergeCause(kind, value, pixel))
            meet.named = True
            unit.outbox.send(buckets.of_user(UUID(value)), InboxKind.MEET, meet)
        return
    identity = unit.identities.get(profile.customer, kind, value)
    # a new user of an old id has come after an erasure, which may still be on its way to the id
    orphaned = (
        identity is not None and not identity.dirty and (profile.customer, profile.user_id) in unit.profiles.created
    )
    if identity is None or identity.user_id != profile.user_id or orphaned:
        link = LinkIdentity(
            customer=profile.customer,
            kind=kind,
            value=value,
            user=str(profile.user_id),
            created_at=profile.created_at,
            key=profile.key,
            ids=len(profile.ids),
            pixel=pixel,
            at=at,
        )
        unit.outbox.send(buckets.of_value(value), InboxKind.LINK, link)


def meeting(profile: ProfileState, user: str, cause: MergeCause) -> Meet:
    """Returns what is sent to `user`'s bucket of the profile, which belongs to the same person."""
    return Meet(
        customer=profile.customer,
        user=user,
        other=str(profile.user_id),
        other_created_at=profile.created_at,
        cause=cause,
        other_key=profile.key,
        other_ids=len(profile.ids),
    )
