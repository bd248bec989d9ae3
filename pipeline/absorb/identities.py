"""Who is who: ids that meet make one profile, decided by rows between buckets, never by locks.

The older profile stays, by (created_at, user id): it makes room for the younger, which then becomes a tombstone
that names it and forwards whatever still arrives. As every step goes from younger to older, steps cannot run in
circles. Only the older knows how many ids it has and whose user it is, so only it may let another in: a profile
of a customer's user gives itself up to none but a profile of the same user, as which the older one has answered.
"""

from uuid import UUID

import msgspec

from core import buckets
from core.clock import milliseconds
from core.inbox import InboxKind
from pipeline.absorb.events import meeting
from pipeline.absorb.loader import Needs
from pipeline.absorb.opt_out import opt_out
from pipeline.absorb.rows import Row
from pipeline.absorb.unit_of_work import Work
from profiles.erased import USER
from profiles.messages import (
    Content,
    LinkIdentity,
    Meet,
    Merge,
    MergeCause,
    decode_content,
    decode_link,
    decode_meet,
    decode_merge,
)
from profiles.state import COOKIE, MOST_IDS, USER_KEY, ProfileState
from usersync.messages import HandOver

__all__ = ["decode_content", "decode_link", "decode_meet", "decode_merge"]


def needs_link(link: LinkIdentity, needs: Needs) -> None:
    needs.identities.add((link.customer, link.kind, link.value))


def absorb_link(work: Work, row: Row, link: LinkIdentity) -> None:
    """In the id's bucket: the id names the user from now on, or meets the user whom it already names."""
    identity = work.identity(link.customer, link.kind, link.value)
    user = UUID(link.user)
    if identity is None:
        work.new_identity(link.customer, link.kind, link.value, user)
    elif identity.user_id is None:
        identity.give_to(user)
    elif identity.user_id != user:
        meet = Meet(
            customer=link.customer,
            user=str(identity.user_id),
            other=link.user,
            other_created_at=link.created_at,
            other_key=link.key,
            other_ids=link.ids,
            cause=MergeCause(link.kind, link.value, link.pixel),
        )
        work.send(buckets.of_user(identity.user_id), InboxKind.MEET, meet)


def needs_meet(meet: Meet, needs: Needs) -> None:
    needs.profiles.add((meet.customer, UUID(meet.user)))


def absorb_meet(work: Work, row: Row, meet: Meet) -> None:
    """In the bucket of one of the two: the older lets the other in, the younger asks the older.

    Two of the customer's users stay two, whatever they share.
    """
    user, other = UUID(meet.user), UUID(meet.other)
    profile = work.profile(meet.customer, user)
    if profile is None and work.was_erased((meet.customer, USER, str(user)), row.received_at):
        return
    if profile is None:
        profile = work.new_profile(meet.customer, user, milliseconds(row.received_at))
    if profile.merged_into is not None:
        if profile.merged_into != other:
            meet.user = str(profile.merged_into)
            work.send(buckets.of_user(profile.merged_into), InboxKind.MEET, meet)
    elif user == other or profile.is_another_than(meet.other_key):
        return
    elif (profile.created_at, user) < (meet.other_created_at, other):
        _let_in(work, profile, meet)
    else:
        work.send(buckets.of_user(other), InboxKind.MEET, meeting(profile, meet.other, meet.cause))


def _let_in(work: Work, profile: ProfileState, meet: Meet) -> None:
    """Make room for the younger one, and be its customer user from now on; or set aside what would make it too many."""
    known = profile.knows(COOKIE, meet.other)
    if not known and len(profile.ids) + max(1, meet.other_ids) > MOST_IDS:
        work.set_aside(profile, meet.cause.kind, meet.cause.value)
        return
    if not known:
        profile.add_id(COOKIE, meet.other)
    if meet.other_key is not None and profile.key is None:
        profile.add_id(USER_KEY, meet.other_key)
    merge = Merge(
        customer=meet.customer,
        loser=meet.other,
        winner=meet.user,
        winner_created_at=profile.created_at,
        winner_key=profile.key,
        winner_ids=len(profile.ids),
        cause=meet.cause,
    )
    work.send(buckets.of_user(UUID(meet.other)), InboxKind.MERGE, merge)


def needs_merge(merge: Merge, needs: Needs) -> None:
    needs.profiles.add((merge.customer, UUID(merge.loser)))


def absorb_merge(work: Work, row: Row, merge: Merge) -> None:
    """In the bucket of the younger one, which may have become a customer's user, or another's, in the meantime."""
    loser, winner = UUID(merge.loser), UUID(merge.winner)
    profile = work.profile(merge.customer, loser)
    if profile is None and work.was_erased((merge.customer, USER, str(loser)), row.received_at):
        return
    if profile is None:
        profile = work.new_profile(merge.customer, loser, milliseconds(row.received_at))
    if profile.merged_into is not None:
        if profile.merged_into != winner:
            meet = Meet(
                customer=merge.customer,
                user=str(profile.merged_into),
                other=merge.winner,
                other_created_at=merge.winner_created_at,
                other_key=merge.winner_key,
                other_ids=merge.winner_ids,
                cause=merge.cause,
            )
            work.send(buckets.of_user(profile.merged_into), InboxKind.MEET, meet)
    elif profile.key in (None, merge.winner_key):
        give_up(work, profile, winner, merge.cause)
    elif merge.winner_key is None:
        work.send(buckets.of_user(winner), InboxKind.MEET, meeting(profile, merge.winner, merge.cause))


def give_up(work: Work, profile: ProfileState, winner: UUID, cause: MergeCause) -> None:
    """Become a tombstone: content goes to the winner, mappings are handed over, nobody is told to remove."""
    content = Content(
        customer=profile.customer,
        winner=str(winner),
        loser=str(profile.user_id),
        attributes=profile.attributes,
        dimensions=profile.dimensions,
        times=dict(profile.times),
        activity=profile.activity,
        ids=[(kind, value) for kind, value in profile.ids],
        confirmed=profile.confirmed,
        opted_out=profile.opted_out,
        cause=cause,
        at=work.now_ms,
    )
    work.send(buckets.of_user(winner), InboxKind.CONTENT, content)
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
            profile.customer,
            mapping.platform,
            mapping.platform_user_id,
            str(profile.user_id),
            str(winner),
            milliseconds(mapping.synced_at),
            expires_at,
            msgspec.json.decode(mapping.extra),
        )
        work.send(buckets.of_value(mapping.platform_user_id), InboxKind.HAND_OVER, message)


def needs_content(content: Content, needs: Needs) -> None:
    needs.profiles.add((content.customer, UUID(content.winner)))


def absorb_content(work: Work, row: Row, content: Content) -> None:
    """In the bucket of the older one."""
    winner = UUID(content.winner)
    profile = work.profile(content.customer, winner)
    if profile is None and work.was_erased((content.customer, USER, str(winner)), row.received_at):
        return
    if profile is None:
        profile = work.new_profile(content.customer, winner, milliseconds(row.received_at))
    if profile.merged_into is not None:
        content.winner = str(profile.merged_into)
        work.send(buckets.of_user(profile.merged_into), InboxKind.CONTENT, content)
        return
    work.catalogue.conversions.convert_kept(content.customer, content.attributes)  # the loser's may not be yet
    for kind, value in profile.take_over(content):
        work.set_aside(profile, kind, value)
    work.note_merge(profile, UUID(content.loser), content.cause, content.at)
    if content.confirmed:
        profile.confirm()
    if content.opted_out and not profile.opted_out:
        opt_out(work, profile)
