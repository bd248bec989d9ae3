"""What a user did: applied to the profile that the request names."""

from typing import Any
from uuid import UUID

from edge import buckets
from edge.kinds import Kind
from edge.messages import Confirm, Event, decode_confirm, decode_event, encode
from pipeline.absorb.rows import Row
from pipeline.absorb.work import Needs, Work
from profiles.commands import Link, Meet
from profiles.discovery import seen
from profiles.state import USER_KEY, ProfileState
from profiles.store import milliseconds
from profiles.values import loads

__all__ = ["decode_confirm", "decode_event"]

# one of our own user ids: it names its profile without an identity row
COOKIE = "cookie"


def needs_event(event: Event, needs: Needs) -> None:
    if event.user is not None:
        needs.profiles.add((event.customer, UUID(event.user)))
    else:
        needs.owners.add((event.customer, *event.ids[0]))


def absorb_event(work: Work, row: Row, event: Event) -> None:
    owner = _user(work, event)
    if buckets.of_user(owner) not in work.held:
        _forward(work, row, event, owner)
        return
    received = milliseconds(row.received_at)
    profile = work.profile(event.customer, owner)
    if work.has_opted_out(profile, owner):
        return
    if profile is None:
        profile = work.new_profile(event.customer, owner, received)
    survivor = work.survivor(profile)
    if isinstance(survivor, UUID):
        _forward(work, row, event, survivor)
    elif survivor.opted_out:
        return
    elif _somebody_else(survivor, event):
        _move(work, row, event)
    else:
        _apply(work, row, event, survivor, received)


def _user(work: Work, event: Event) -> UUID:
    """Whom the request names: our own id if it carries one, else the first id, new ones included."""
    if event.user is not None:
        return UUID(event.user)
    kind, value = event.ids[0]
    identity = work.identity(event.customer, kind, value)
    if identity is None:
        identity = work.new_identity(event.customer, kind, value, buckets.new_user_id(buckets.of_value(value)))
    if identity.user_id is None:
        identity.give_to(buckets.new_user_id(buckets.of_value(value)))
    assert identity.user_id is not None  # noqa: S101 (just given)
    return identity.user_id


def _forward(work: Work, row: Row, event: Event, user_id: UUID) -> None:
    event.user = str(user_id)
    event.confirmed = event.confirmed or bool(event.ids)
    work.send(buckets.of_user(user_id), Kind.EVENT, event, row.body, row.received_at)


def _somebody_else(profile: ProfileState, event: Event) -> bool:
    """Whether the browser logged in as another customer user than the one the profile belongs to."""
    return profile.is_another_than(next((value for kind, value in event.ids if kind == USER_KEY), None))


def _move(work: Work, row: Row, event: Event) -> None:
    """The two are not melted: the event goes to the profile of the user who is logged in."""
    event.user = None
    event.ids = [(kind, value) for kind, value in event.ids if kind == USER_KEY]
    work.send(buckets.of_value(event.ids[0][1]), Kind.EVENT, event, row.body, row.received_at)


def _apply(work: Work, row: Row, event: Event, profile: ProfileState, received: int) -> None:
    if not event.counted:
        profile.record(event.pixel, event.at)
    if event.dimensions:
        profile.set_dimensions(event.dimensions, event.at, received)
    if row.body:
        data: dict[str, Any] = loads(row.body)
        _tell_of(work, row, event, work.catalogue.conversions.apply(event.customer, data))
        profile.set_attributes(data, event.at, received)
        seen(event.customer, data, event.at)
    if event.confirmed or event.ids:
        profile.confirm()
    link(work, profile, event.ids)


def _tell_of(work: Work, row: Row, event: Event, refused: list[str]) -> None:
    """Keep a copy for the attributes that did not convert; the rest of the event is used now."""
    if refused:
        event.counted = True
        rest = row._replace(query=encode(event))
        for path in refused:
            work.refuse(rest, event.customer, f"attribute {path}: the value does not convert to its type")


def link(work: Work, profile: ProfileState, ids: list[tuple[str, str]]) -> None:
    """Tell the buckets of ids that are new to the profile that they name it."""
    new = [(kind, value) for kind, value in ids if not profile.knows(kind, value)]
    for kind, value in new:
        profile.add_id(kind, value)
    for kind, value in new:
        if kind == COOKIE:
            meet = Meet(profile.customer, value, str(profile.user_id), profile.created_at, profile.key)
            work.send(buckets.of_user(UUID(value)), Kind.MEET, meet)
            continue
        identity = work.identity(profile.customer, kind, value)
        if identity is None or identity.user_id != profile.user_id:
            message = Link(profile.customer, kind, value, str(profile.user_id), profile.created_at, profile.key)
            work.send(buckets.of_value(value), Kind.LINK, message)


def needs_confirm(confirm: Confirm, needs: Needs) -> None:
    needs.profiles.add((confirm.customer, UUID(confirm.user)))


def absorb_confirm(work: Work, row: Row, confirm: Confirm) -> None:
    """The browser kept its id: the user is real, and is whoever the first request named."""
    user_id = UUID(confirm.user)
    profile = work.profile(confirm.customer, user_id)
    if work.has_opted_out(profile, user_id):
        return
    if profile is None:
        profile = work.new_profile(confirm.customer, user_id, milliseconds(row.received_at))
    if profile.merged_into is not None:
        confirm.user = str(profile.merged_into)
        work.send(buckets.of_user(profile.merged_into), Kind.CONFIRM, confirm)
        return
    profile.confirm()
    link(work, profile, confirm.ids)
