"""Who is who: ids that meet make one profile, decided by rows between buckets, never by locks.

The older profile stays, by (created_at, user id): it makes room for the younger, which then becomes a tombstone
that names it and forwards whatever still arrives. As every step goes from younger to older, steps cannot run in
circles. Only the older knows how many ids it has and whose user it is, so only it may let another in: a profile
of a customer's user gives itself up to none but a profile of the same user, as which the older one has replied.
"""

from typing import Protocol
from uuid import UUID

import msgspec

from audiences.lists import Entry
from core import buckets
from core.clock import milliseconds, moment
from core.inbox import InboxKind
from pipeline.absorb.claims import BatchClaims
from pipeline.absorb.deleted_platforms import DeletedPlatforms
from pipeline.absorb.erasure import extend_to_id, extend_to_user
from pipeline.absorb.excess import BatchExcess
from pipeline.absorb.links import meeting
from pipeline.absorb.listings import BatchListings
from pipeline.absorb.loader import Needs
from pipeline.absorb.mappings import BatchMappings
from pipeline.absorb.memberships import BatchMemberships
from pipeline.absorb.opt_out import opt_out
from pipeline.absorb.outbox import Outbox
from pipeline.absorb.people import BatchErasures, BatchIdentities, BatchMerges, BatchProfiles
from pipeline.absorb.rows import InboxRow
from pipeline.absorb.suspects import BatchSuspects, stops_link
from pipeline.bad_rows import BadPart
from pipeline.catalogue import Catalogue
from profiles.caps import take_beyond_winner
from profiles.erased import USER
from profiles.messages import Content, LinkIdentity, Meet, Merge, MergeCause
from profiles.state import COOKIE, MOST_IDS, USER_KEY, ProfileState
from usersync.messages import HandOver


class MergeScope(Protocol):
    """What the handlers of links and merges may read and change."""

    now_ms: int
    catalogue: Catalogue
    deleted_platforms: DeletedPlatforms
    profiles: BatchProfiles
    identities: BatchIdentities
    erasures: BatchErasures
    merges: BatchMerges
    claims: BatchClaims
    mappings: BatchMappings
    memberships: BatchMemberships
    listings: BatchListings
    excess: BatchExcess
    suspects: BatchSuspects
    outbox: Outbox
    bad_parts: list[BadPart]


def needs_link(link: LinkIdentity, needs: Needs) -> None:
    key = (link.customer, link.kind, link.value)
    needs.identities.add(key)
    needs.named.add(key)
    needs.watched.add(key)


def absorb_link(unit: MergeScope, row: InboxRow, link: LinkIdentity) -> None:
    """In the id's bucket: the id names the user from now on, or meets the user whom it already names.

    If the id was erased after the link was accepted, the user is the erased person too, or does not have the id.
    """
    if unit.deleted_platforms.had(link.customer, link.kind):
        return
    mark = unit.erasures.covering((link.customer, link.kind, link.value), row.received_at)
    if mark is not None:
        extend_to_user(unit.outbox, link.customer, mark, link.user, (link.kind, link.value))
        return
    identity = unit.identities.get(link.customer, link.kind, link.value)
    user = UUID(link.user)
    if identity is None:
        unit.identities.create(link.customer, link.kind, link.value, user)
        unit.suspects.first((link.customer, link.kind, link.value), link.user, link.at)
    elif identity.user_id == user or stops_link(unit, row, link):
        return
    elif identity.user_id is None:
        identity.give_to(user)
    else:
        meet = Meet(
            customer=link.customer,
            user=str(identity.user_id),
            other=link.user,
            other_created_at=link.created_at,
            cause=MergeCause(link.kind, link.value, link.pixel),
            other_key=link.key,
            other_ids=link.ids,
            named=True,
        )
        unit.outbox.send(buckets.of_user(identity.user_id), InboxKind.MEET, meet)


def _profile(unit: MergeScope, row: InboxRow, customer: int, user: UUID) -> ProfileState:
    """Returns the user's profile, a new one where there is none."""
    profile = unit.profiles.get(customer, user)
    return profile or unit.profiles.create(customer, user, milliseconds(row.received_at))


def _other_goes_too(unit: MergeScope, row: InboxRow, customer: int, user: str, other: str, cause: MergeCause) -> bool:
    """Returns whether the user was erased after the row was accepted: then the other, who is the same person, goes."""
    mark = unit.erasures.covering((customer, USER, user), row.received_at)
    if mark is not None:
        extend_to_user(unit.outbox, customer, mark, other, (cause.kind, cause.value), user)
    return mark is not None


def _needs_user(customer: int, user: str, needs: Needs) -> None:
    needs.profiles.add((customer, UUID(user)))
    needs.named.add((customer, USER, user))


def needs_meet(meet: Meet, needs: Needs) -> None:
    _needs_user(meet.customer, meet.user, needs)
    needs.named |= {(meet.customer, USER, meet.other), (meet.customer, meet.cause.kind, meet.cause.value)}


def absorb_meet(unit: MergeScope, row: InboxRow, meet: Meet) -> None:
    """In the bucket of one of the two: the older lets the other in, the younger asks the older.

    Two of the customer's users stay two, whatever they share.
    """
    user, other = UUID(meet.user), UUID(meet.other)
    if unit.deleted_platforms.had(meet.customer, meet.cause.kind):
        return
    if _other_goes_too(unit, row, meet.customer, meet.user, meet.other, meet.cause) or _goes_back(unit, meet):
        return
    profile = _profile(unit, row, meet.customer, user)
    if profile.merged_into is not None:
        if profile.merged_into != other:
            meet.user = str(profile.merged_into)
            unit.outbox.send(buckets.of_user(profile.merged_into), InboxKind.MEET, meet)
    elif user == other or profile.is_another_than(meet.other_key):
        return
    elif (profile.created_at, user) < (meet.other_created_at, other):
        _let_in(unit, row, profile, meet)
    else:
        unit.outbox.send(buckets.of_user(other), InboxKind.MEET, meeting(profile, meet.other, meet.cause))


def _goes_back(unit: MergeScope, meet: Meet) -> bool:
    """Whether the id by which the two met still names a user who was erased before: it is the other's alone.

    The id is erased, or the merged profile that led to the user, and the other goes there again.
    """
    mark = unit.erasures.latest((meet.customer, USER, meet.user)) if meet.named else None
    one = (meet.cause.kind, meet.cause.value)
    if mark is None or one == (COOKIE, meet.user) or unit.profiles.get(meet.customer, UUID(meet.user)) is not None:
        return False
    if one[0] == COOKIE:
        extend_to_user(unit.outbox, meet.customer, mark, one[1], None, meet.user)
        again = msgspec.structs.replace(meet, user=one[1])
        unit.outbox.send(buckets.of_user(UUID(one[1])), InboxKind.MEET, again)
        return True
    extend_to_id(unit.outbox, meet.customer, mark, one, [meet.user])
    link = LinkIdentity(
        customer=meet.customer,
        kind=one[0],
        value=one[1],
        user=meet.other,
        created_at=meet.other_created_at,
        key=meet.other_key,
        ids=meet.other_ids,
        pixel=meet.cause.pixel,
    )
    unit.outbox.send(buckets.of_value(one[1]), InboxKind.LINK, link)
    return True


def _let_in(unit: MergeScope, row: InboxRow, profile: ProfileState, meet: Meet) -> None:
    """Make room for the younger one, and be its customer user from now on. Note the id where there is no room."""
    known = profile.knows(COOKIE, meet.other)
    if not known and len(profile.ids) + max(1, meet.other_ids) > MOST_IDS:
        of_erased = [(meet.customer, USER, meet.other), (meet.customer, meet.cause.kind, meet.cause.value)]
        if not any(unit.erasures.covering(one, row.received_at) for one in of_erased):
            unit.merges.note_shared_id(profile.customer, profile.user_id, meet.cause.kind, meet.cause.value)
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
        cause=meet.cause,
        winner_key=profile.key,
        winner_ids=len(profile.ids),
    )
    unit.outbox.send(buckets.of_user(UUID(meet.other)), InboxKind.MERGE, merge)


def needs_merge(merge: Merge, needs: Needs) -> None:
    _needs_user(merge.customer, merge.loser, needs)


def absorb_merge(unit: MergeScope, row: InboxRow, merge: Merge) -> None:
    """In the bucket of the younger one, which may have become a customer's user, or another's, in the meantime."""
    winner = UUID(merge.winner)
    if _other_goes_too(unit, row, merge.customer, merge.loser, merge.winner, merge.cause):
        return
    profile = _profile(unit, row, merge.customer, UUID(merge.loser))
    if profile.merged_into is not None:
        if profile.merged_into != winner:
            meet = Meet(
                customer=merge.customer,
                user=str(profile.merged_into),
                other=merge.winner,
                other_created_at=merge.winner_created_at,
                cause=merge.cause,
                other_key=merge.winner_key,
                other_ids=merge.winner_ids,
            )
            unit.outbox.send(buckets.of_user(profile.merged_into), InboxKind.MEET, meet)
    elif profile.key is None or (merge.winner_key is not None and not profile.is_another_than(merge.winner_key)):
        _give_up(unit, profile, winner, merge.cause)
    elif merge.winner_key is None:
        unit.outbox.send(buckets.of_user(winner), InboxKind.MEET, meeting(profile, merge.winner, merge.cause))


def _give_up(unit: MergeScope, profile: ProfileState, winner: UUID, cause: MergeCause) -> None:
    """Become a tombstone: content goes to the winner, mappings are handed over, no platform is told to remove."""
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
        at=unit.now_ms,
        accepted=profile.created_at,
        lists=[(audience, *entry) for audience, entry in unit.listings.take(profile).items()],
    )
    unit.outbox.send(buckets.of_user(winner), InboxKind.CONTENT, content)
    _hand_over(unit, profile, winner)
    unit.memberships.forget(profile)
    profile.attributes, profile.dimensions, profile.times, profile.activity = {}, {}, {}, {}
    profile.ids, profile.merged_into, profile.dirty = [], winner, True
    profile.changed.clear()


def _hand_over(unit: MergeScope, profile: ProfileState, winner: UUID) -> None:
    for mapping in unit.mappings.forget_all(profile):
        hand_over = HandOver(
            customer=profile.customer,
            platform=mapping.platform,
            platform_user_id=mapping.platform_user_id,
            user=str(profile.user_id),
            winner=str(winner),
            synced_at=milliseconds(mapping.synced_at),
            expires_at=None if mapping.expires_at is None else milliseconds(mapping.expires_at),
            extra=msgspec.json.decode(mapping.extra),
            accepted=profile.created_at,
        )
        unit.outbox.send(buckets.of_value(mapping.platform_user_id), InboxKind.HAND_OVER, hand_over)


def needs_content(content: Content, needs: Needs) -> None:
    _needs_user(content.customer, content.winner, needs)


def absorb_content(unit: MergeScope, row: InboxRow, content: Content) -> None:
    """In the bucket of the older one."""
    if _is_winner_erased(unit, row, content):
        return
    profile = _profile(unit, row, content.customer, UUID(content.winner))
    if profile.merged_into is not None:
        content.winner = str(profile.merged_into)
        unit.outbox.send(buckets.of_user(profile.merged_into), InboxKind.CONTENT, content)
        return
    # the loser's may not be converted yet
    unit.catalogue.conversions.convert_kept(content.customer, content.attributes, content.times)
    content.ids = unit.deleted_platforms.without(content.customer, content.ids)
    if unit.deleted_platforms.had(content.customer, content.cause.kind):
        content.cause.value = ""
    _set_aside_excess(unit, row, profile, content)
    for kind, value in profile.take_over(content):
        unit.merges.note_shared_id(profile.customer, profile.user_id, kind, value)
    unit.merges.note(profile, UUID(content.loser), content.cause, content.at)
    for audience, listed, at in content.lists:
        unit.listings.take_over(profile, audience, Entry(listed, at))
    if content.confirmed:
        profile.confirm()
    if content.opted_out and not profile.opted_out:
        opt_out(unit, profile, row.received_at)


def _is_winner_erased(unit: MergeScope, row: InboxRow, content: Content) -> bool:
    """Whether the winner is erased. If it was after the younger one had begun, all that comes from there is erased too.

    Else the younger one begins anew, with what is kept for that.
    """
    winner = (content.customer, USER, content.winner)
    accepted = row.received_at if content.accepted is None else min(row.received_at, moment(content.accepted))
    mark = unit.erasures.covering(winner, accepted)
    if mark is not None:
        users = [content.loser, content.winner, *(value for kind, value in content.ids if kind == COOKIE)]
        for user in users[:1] + users[2:]:
            extend_to_user(unit.outbox, content.customer, mark, user, None, content.winner)
        for one in content.ids:
            if one[0] != COOKIE:
                extend_to_id(unit.outbox, content.customer, mark, one, users)
        return True
    mark = unit.erasures.latest(winner)
    if mark is None or unit.profiles.get(content.customer, UUID(content.winner)) is not None:
        return False
    extend_to_user(unit.outbox, content.customer, mark, content.loser, None, content.winner)
    return True


def _set_aside_excess(unit: MergeScope, row: InboxRow, profile: ProfileState, content: Content) -> None:
    """Take out of the content what the winner has no room for, and keep it as a bad row."""
    excess = take_beyond_winner(profile, content, unit.excess.caps)
    if excess:
        rest = Content(
            customer=content.customer,
            winner=content.winner,
            loser=content.loser,
            attributes=excess,
            times={key: time for key, time in content.times.items() if key.removeprefix("a:") in excess},
            cause=content.cause,
            at=content.at,
        )
        reason = unit.excess.count(profile, excess)
        unit.bad_parts.append(BadPart(row._replace(query=msgspec.json.encode(rest)), content.customer, reason))
