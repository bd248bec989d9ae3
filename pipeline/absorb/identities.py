"""Who is who: ids that meet make one profile, decided by rows between buckets, never by locks.

The older profile stays, by (created_at, user id); the younger one stays as a tombstone that names it
and forwards whatever still arrives. As every step goes from younger to older, steps cannot run in circles.
"""

from uuid import UUID

import msgspec

from edge import buckets
from edge.kinds import Kind
from pipeline.absorb.choices import opt_out
from pipeline.absorb.rows import Row
from pipeline.absorb.work import Needs, Work
from profiles.commands import (
    Content,
    Link,
    Meet,
    Merge,
    decode_content,
    decode_link,
    decode_meet,
    decode_merge,
)
from profiles.state import Held, ProfileState
from profiles.store import milliseconds
from usersync.commands import HandOver

__all__ = ["decode_content", "decode_link", "decode_meet", "decode_merge"]


def needs_link(link: Link, needs: Needs) -> None:
    needs.identities.add((link.customer, link.kind, link.value))


def absorb_link(work: Work, row: Row, link: Link) -> None:  # noqa: ARG001 (a handler's signature)
    """In the id's bucket: the id names the user from now on, or meets the user whom it already names."""
    identity = work.identity(link.customer, link.kind, link.value)
    user = UUID(link.user)
    if identity is None:
        work.new_identity(link.customer, link.kind, link.value, user)
    elif identity.user_id is None:
        identity.give_to(user)
    elif identity.user_id != user:
        meet = Meet(link.customer, str(identity.user_id), link.user, link.created_at, link.key)
        work.send(buckets.of_user(identity.user_id), Kind.MEET, meet)


def needs_meet(meet: Meet, needs: Needs) -> None:
    needs.profiles.add((meet.customer, UUID(meet.user)))


def absorb_meet(work: Work, row: Row, meet: Meet) -> None:
    """In the bucket of one of the two: decide which is older, and have the other give itself up.

    Two of the customer's users stay two, whatever they share.
    """
    user, other = UUID(meet.user), UUID(meet.other)
    profile = work.profile(meet.customer, user)
    if profile is None:
        profile = work.new_profile(meet.customer, user, milliseconds(row.received_at))
    if profile.merged_into is not None:
        if profile.merged_into != other:
            meet.user = str(profile.merged_into)
            work.send(buckets.of_user(profile.merged_into), Kind.MEET, meet)
    elif user == other or profile.is_another_than(meet.other_key):
        return
    elif (profile.created_at, user) < (meet.other_created_at, other):
        merge = Merge(meet.customer, meet.other, meet.user, profile.created_at, profile.key)
        work.send(buckets.of_user(other), Kind.MERGE, merge)
    else:
        give_up(work, profile, other)


def needs_merge(merge: Merge, needs: Needs) -> None:
    needs.profiles.add((merge.customer, UUID(merge.loser)))


def absorb_merge(work: Work, row: Row, merge: Merge) -> None:
    """In the bucket of the younger one."""
    loser, winner = UUID(merge.loser), UUID(merge.winner)
    profile = work.profile(merge.customer, loser)
    if profile is None:
        profile = work.new_profile(merge.customer, loser, milliseconds(row.received_at))
    if profile.merged_into is None:
        if not profile.is_another_than(merge.winner_key):
            give_up(work, profile, winner)
    elif profile.merged_into != winner:
        meet = Meet(
            merge.customer, str(profile.merged_into), merge.winner, merge.winner_created_at, merge.winner_key
        )  # fmt: skip
        work.send(buckets.of_user(profile.merged_into), Kind.MEET, meet)


def give_up(work: Work, profile: ProfileState, winner: UUID) -> None:
    """Become a tombstone: content goes to the winner, mappings are handed over, nobody is told to remove."""
    content = Content(
        profile.customer, str(winner), str(profile.user_id), profile.attributes, profile.dimensions,
        dict(profile.times), profile.activity, [(kind, value) for kind, value in profile.ids],
        profile.confirmed, profile.opted_out,
    )  # fmt: skip
    work.send(buckets.of_user(winner), Kind.CONTENT, content)
    _hand_over(work, profile, winner)
    work.forget_memberships(profile)
    profile.attributes, profile.dimensions, profile.times, profile.activity = {}, {}, {}, {}
    profile.ids, profile.merged_into, profile.dirty = [], winner, True
    profile.changed.clear()


def _hand_over(work: Work, profile: ProfileState, winner: UUID) -> None:
    for mapping in work.mappings_of(profile):
        work.forget_mapping(profile, mapping.platform, mapping.platform_user_id, mapping.epoch)
        expires_at = None if mapping.expires_at is None else milliseconds(mapping.expires_at)
        message = HandOver(
            profile.customer, mapping.platform, mapping.platform_user_id, str(profile.user_id), str(winner),
            milliseconds(mapping.synced_at), expires_at, msgspec.json.decode(mapping.extra),
        )  # fmt: skip
        work.send(buckets.of_value(mapping.platform_user_id), Kind.HAND_OVER, message)


def needs_content(content: Content, needs: Needs) -> None:
    needs.profiles.add((content.customer, UUID(content.winner)))


def absorb_content(work: Work, row: Row, content: Content) -> None:
    """In the bucket of the older one."""
    winner = UUID(content.winner)
    profile = work.profile(content.customer, winner)
    if profile is None:
        profile = work.new_profile(content.customer, winner, milliseconds(row.received_at))
    if profile.merged_into is not None:
        content.winner = str(profile.merged_into)
        work.send(buckets.of_user(profile.merged_into), Kind.CONTENT, content)
        return
    profile.take_over(Held(content.attributes, content.dimensions, content.times, content.activity, content.ids))
    if content.confirmed:
        profile.confirm()
    if content.opted_out and not profile.opted_out:
        opt_out(work, profile)
