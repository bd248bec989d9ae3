"""What a user did: applied to the profile that the request names."""

from typing import Any
from uuid import UUID

from core import buckets
from core.clock import milliseconds
from core.inbox import InboxKind
from core.json_values import loads
from core.messages import Confirm, Event, Id, decode_confirm, decode_event, encode
from pipeline.absorb.loader import Needs
from pipeline.absorb.rows import Row
from pipeline.absorb.unit_of_work import Work
from profiles.attribute_sampling import seen
from profiles.erased import USER
from profiles.messages import LinkIdentity, Meet, MergeCause
from profiles.state import COOKIE, USER_KEY, ProfileState, receipt_time

__all__ = ["decode_confirm", "decode_event"]


def needs_event(event: Event, needs: Needs) -> None:
    needs.named.update((event.customer, kind, value) for kind, value in event.ids if kind != COOKIE)
    if event.user is not None:
        needs.named.add((event.customer, USER, event.user))
        needs.profiles.add((event.customer, UUID(event.user)))
    else:
        needs.owners.add((event.customer, *event.ids[0]))


def absorb_event(work: Work, row: Row, event: Event) -> None:
    if _is_of_erased(work, row, event):
        return
    by_browser = event.user is not None and not event.forwarded
    owner = _user(work, event)
    if buckets.of_user(owner) not in work.held:
        _forward(work, row, event, owner)
        return
    profile = work.profile(event.customer, owner)
    if work.has_opted_out(profile, owner):
        return
    if profile is None:
        profile = work.new_profile(event.customer, owner, milliseconds(row.received_at))
    if by_browser:
        event.ids = _with_login(profile, event.ids, event.at)
    survivor = work.survivor(profile)
    if isinstance(survivor, UUID):
        _forward(work, row, event, survivor)
    elif survivor.opted_out:
        return
    elif survivor.is_another_than(key_of(event.ids)):
        _move(work, row, event)
    else:
        _apply(work, row, event, survivor)


def _is_of_erased(work: Work, row: Row, event: Event) -> bool:
    """Whether its user has been erased since it was accepted. Other ids of such users are left out of it."""
    if event.user is not None and work.was_erased((event.customer, USER, event.user), row.received_at):
        return True
    left = [one for one in event.ids if not work.was_erased((event.customer, *one), row.received_at)]
    gone = len(left) < len(event.ids)
    event.ids = left
    return gone and event.user is None


def key_of(ids: list[Id]) -> str | None:
    """The customer's own user id among the ids of a request."""
    return next((value for kind, value in ids if kind == USER_KEY), None)


def _with_login(browser: ProfileState, ids: list[Id], at: int) -> list[Id]:
    """The ids, and with them the customer user who is logged in with this browser, where the request names none."""
    key = key_of(ids)
    if key is not None:
        browser.log_in(key, at)
        return ids
    login = browser.user_at(at)
    return [*ids, (USER_KEY, login)] if login else ids


def _user(work: Work, event: Event) -> UUID:
    """Whom the request names: our own id if it carries one, else the first id, new ones included."""
    if event.user is not None:
        return UUID(event.user)
    kind, value = event.ids[0]
    identity = work.identity(event.customer, kind, value)
    if identity is None:
        identity = work.new_identity(
            event.customer, kind, value, work.new_user(event.customer, buckets.of_value(value))
        )
    if identity.user_id is None:
        identity.give_to(work.new_user(event.customer, buckets.of_value(value)))
    assert identity.user_id is not None
    return identity.user_id


def _forward(work: Work, row: Row, event: Event, user_id: UUID) -> None:
    event.user, event.forwarded = str(user_id), True
    event.confirmed = event.confirmed or bool(event.ids)
    work.send(buckets.of_user(user_id), InboxKind.EVENT, event, row.body, row.received_at)


def _move(work: Work, row: Row, event: Event) -> None:
    """The browser logged in as somebody else than the profile's user: the two are not melted, the event goes there."""
    event.user = None
    event.ids.sort(key=lambda one: one[0] != USER_KEY)
    work.send(buckets.of_value(event.ids[0][1]), InboxKind.EVENT, event, row.body, row.received_at)


def _apply(work: Work, row: Row, event: Event, profile: ProfileState) -> None:
    received = receipt_time(row.received_at)
    if not event.counted:
        profile.record(event.pixel, event.at)
    if event.dimensions:
        profile.set_dimensions(event.dimensions, event.at, received)
    if row.body:
        profile.set_attributes(_prepared(work, row, event, row.body), event.at, received)
    if event.confirmed or event.ids:
        profile.confirm()
    link(work, profile, event.ids, event.pixel)


def _prepared(work: Work, row: Row, event: Event, body: bytes) -> dict[str, Any]:
    """The event's data as it is kept. Whatever happens to data on its way in happens here, and nowhere else."""
    data: dict[str, Any] = loads(body)
    seen(event.customer, data, event.at)
    _tell_of(work, row, event, work.catalogue.conversions.apply(event.customer, data))
    return data


def _tell_of(work: Work, row: Row, event: Event, refused: list[str]) -> None:
    """Keep a copy for the attributes that did not convert; the rest of the event is used now."""
    if refused:
        event.counted = True
        rest = row._replace(query=encode(event))
        for path in refused:
            work.refuse(rest, event.customer, f"attribute {path}: the value does not convert to its type")


def link(work: Work, profile: ProfileState, ids: list[Id], pixel: int = 0) -> None:
    """Tell the buckets of ids that are new to the profile that they name it; as many as it has room for."""
    for kind, value in [(kind, value) for kind, value in ids if not profile.knows(kind, value)]:
        if profile.is_full:
            work.set_aside(profile, kind, value)
        else:
            profile.add_id(kind, value)
            _tell(work, profile, kind, value, pixel)


def _tell(work: Work, profile: ProfileState, kind: str, value: str, pixel: int) -> None:
    if kind == COOKIE:
        if value != str(profile.user_id):
            work.send(
                buckets.of_user(UUID(value)), InboxKind.MEET, meeting(profile, value, MergeCause(kind, value, pixel))
            )
        return
    identity = work.identity(profile.customer, kind, value)
    if identity is None or identity.user_id != profile.user_id:
        message = LinkIdentity(
            customer=profile.customer,
            kind=kind,
            value=value,
            user=str(profile.user_id),
            created_at=profile.created_at,
            key=profile.key,
            ids=len(profile.ids),
            pixel=pixel,
        )
        work.send(buckets.of_value(value), InboxKind.LINK, message)


def meeting(profile: ProfileState, user: str, cause: MergeCause) -> Meet:
    """What `user`'s bucket is told of the profile."""
    return Meet(
        customer=profile.customer,
        user=user,
        other=str(profile.user_id),
        other_created_at=profile.created_at,
        other_key=profile.key,
        other_ids=len(profile.ids),
        cause=cause,
    )


def needs_confirm(confirm: Confirm, needs: Needs) -> None:
    needs.profiles.add((confirm.customer, UUID(confirm.user)))


def absorb_confirm(work: Work, row: Row, confirm: Confirm) -> None:
    """The browser kept its id: the user is real, and is whoever the first request named."""
    user_id = UUID(confirm.user)
    profile = work.profile(confirm.customer, user_id)
    if work.has_opted_out(profile, user_id) or work.was_erased((confirm.customer, USER, confirm.user), row.received_at):
        return
    if profile is None:
        profile = work.new_profile(confirm.customer, user_id, milliseconds(row.received_at))
    if not confirm.forwarded:
        _with_login(profile, confirm.ids, confirm.at)
    if profile.merged_into is not None:
        confirm.user, confirm.forwarded = str(profile.merged_into), True
        work.send(buckets.of_user(profile.merged_into), InboxKind.CONFIRM, confirm)
        return
    profile.confirm()
    if not profile.is_another_than(key_of(confirm.ids)):
        link(work, profile, confirm.ids)
