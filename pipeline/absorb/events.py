"""Events: what a user did, applied to the profile that the request names."""

from typing import Protocol
from uuid import UUID

import msgspec

from core import buckets, user_ids
from core.clock import milliseconds
from core.inbox import InboxKind
from core.messages import Confirm, Event, Id
from pipeline.absorb.deleted_platforms import DeletedPlatforms
from pipeline.absorb.erasure import extend_to_id, extend_to_user, is_key_of, may_be_of
from pipeline.absorb.event_data import prepare_data
from pipeline.absorb.excess import BatchExcess
from pipeline.absorb.kept_rows import BatchKeptRows
from pipeline.absorb.links import link_ids
from pipeline.absorb.listings import BatchListings, must_not_make
from pipeline.absorb.loader import Needs
from pipeline.absorb.outbox import Outbox
from pipeline.absorb.people import BatchErasures, BatchIdentities, BatchMerges, BatchProfiles
from pipeline.absorb.rows import InboxRow
from pipeline.absorb.suspects import BatchSuspects, stops_move, time_of
from pipeline.bad_rows import BadPart
from pipeline.catalogue import Catalogue
from profiles.attribute_sampling import sampler
from profiles.erased import USER, Mark
from profiles.identities import EUID
from profiles.messages import LogOut
from profiles.state import COOKIE, USER_KEY, ProfileState, receipt_time


class EventScope(Protocol):
    """What the handlers of events and of confirmed browsers may read and change."""

    held: set[int]
    catalogue: Catalogue
    deleted_platforms: DeletedPlatforms
    profiles: BatchProfiles
    identities: BatchIdentities
    erasures: BatchErasures
    merges: BatchMerges
    excess: BatchExcess
    suspects: BatchSuspects
    kept_rows: BatchKeptRows
    listings: BatchListings
    outbox: Outbox
    bad_parts: list[BadPart]


def needs_event(event: Event, needs: Needs) -> None:
    needs.named.update((event.customer, kind, value) for kind, value in event.ids if kind != COOKIE)
    if event.user is not None:
        needs.named.add((event.customer, USER, event.user))
        needs.profiles.add((event.customer, user_ids.as_uuid(event.user)))
    else:
        needs.owners.add((event.customer, *event.ids[0]))
        if event.mover:
            needs.watched.add((event.customer, *event.ids[0]))


def absorb_event(unit: EventScope, row: InboxRow, event: Event) -> None:
    """In the bucket of the user, or of the first id. An event of a user in a bucket out of reach is sent there."""
    if _is_of_deleted_platform(unit, row, event) or _is_of_erased(unit, row, event) or _stays_behind(unit, row, event):
        return
    by_browser = event.user is not None and not event.forwarded
    owner = _user(unit, event)
    if buckets.of_user(owner) not in unit.held:
        _forward(unit, row, event, owner)
        return
    profile = unit.profiles.get(event.customer, owner)
    if profile is None and _goes_back(unit, row, event, owner):
        return
    if unit.profiles.has_opted_out(profile, owner) or (profile is None and event.listing and event.listing.known):
        unit.listings.leave(row, event.listing, profile)
        return
    if profile is None:
        profile = unit.profiles.create(event.customer, owner, milliseconds(row.received_at))
    if by_browser:
        _add_login(unit, row, profile, event)
    survivor = unit.profiles.survivor_of(profile)
    if isinstance(survivor, UUID):
        _forward(unit, row, event, survivor)
    elif survivor.opted_out:
        unit.listings.leave(row, event.listing, survivor)
    elif survivor.is_another_than(_key_of(event.ids)):
        _move(unit, row, event)
    else:
        _apply(unit, row, event, survivor)


def _is_of_deleted_platform(unit: EventScope, row: InboxRow, event: Event) -> bool:
    """Leave ids of deleted platforms out. Returns whether the event names nobody else, or goes to the next id."""
    if not any(kind.startswith(EUID) for kind, _ in event.ids):
        return False
    first, event.ids = event.ids[0], unit.deleted_platforms.without(event.customer, event.ids)
    if event.user is not None or first in event.ids:
        return False
    if event.ids:
        unit.outbox.send(buckets.of_value(event.ids[0][1]), InboxKind.EVENT, event, row.body)
    return True


def _is_of_erased(unit: EventScope, row: InboxRow, event: Event | Confirm) -> bool:
    """Returns whether the request's person was erased after the row was accepted.

    Whatever else the request names is then that person's too, and is erased as well. Ids of erased people that do not
    make the user the same person are left out of the request.
    """
    if unit.erasures.is_empty:
        return False
    customer, key = event.customer, _key_of(event.ids)
    users = [] if event.user is None else [event.user]
    mark = unit.erasures.covering((customer, USER, event.user or ""), row.received_at)
    if mark is not None:
        for one in event.ids:
            extend_to_id(unit.outbox, customer, mark, one, users)
        return _is_left(unit, row, event)
    marks = {one: mark for one in event.ids if (mark := unit.erasures.covering((customer, *one), row.received_at))}
    if not marks:
        return False
    profile = None if event.user is None else unit.profiles.get(customer, UUID(event.user))
    moves = profile is not None and profile.is_another_than(key)  # the request says nothing about its browser's profile
    left = [one for one in event.ids if one not in marks]
    for one, mark in marks.items():
        if one[0] == USER_KEY or (is_key_of(mark, customer, _key_of(left)) and (moves or may_be_of(mark, profile))):
            for other in left:
                extend_to_id(unit.outbox, customer, mark, other, [] if moves else users)
            if event.user is not None and not moves:
                extend_to_user(unit.outbox, customer, mark, event.user, one)
            return _is_left(unit, row, event)
    event.ids = left
    return event.user is None and _is_left(unit, row, event)


def _is_left(unit: EventScope, row: InboxRow, event: Event | Confirm) -> bool:
    """Leave the erased person's request; on no list either. Returns True."""
    if isinstance(event, Event):
        unit.listings.leave(row, event.listing)
    return True


def _key_of(ids: list[Id]) -> str | None:
    """The customer's own user id among the ids of a request."""
    return next((value for kind, value in ids if kind == USER_KEY), None) if ids else None


def _add_login(unit: EventScope, row: InboxRow, browser: ProfileState, event: Event | Confirm) -> None:
    """Note who logs in with this browser. Where the request names nobody, it is by who has logged in last."""
    key = _key_of(event.ids)
    if key is not None:
        browser.log_in(key, event.at)
    elif unit.erasures.login_of(browser, row.received_at) and (login := browser.user_at(event.at)):
        event.ids = [*event.ids, (USER_KEY, login)]
        if isinstance(event, Event):
            event.browser = str(browser.user_id)


def _stays_behind(unit: EventScope, row: InboxRow, event: Event) -> bool:
    """Whether the event goes back to its browser, whose login, or move, does not hold; or would make a user in vain."""
    if event.listing is not None and must_not_make(unit.identities, event):
        unit.listings.leave(row, event.listing)
        return True
    return _is_logged_out(unit, row, event) or stops_move(unit, row, event)


def _is_logged_out(unit: EventScope, row: InboxRow, event: Event) -> bool:
    """Whether the customer's user, named by a login alone, was erased: then the event goes back to its browser."""
    if not event.browser or event.user is not None:
        return False
    key = (event.customer, *event.ids[0])
    mark, identity = unit.erasures.latest(key), unit.identities.get(*key)
    if mark is None or (identity is not None and identity.user_id is not None):
        return False
    _back_to_browser(unit, row, event, mark)
    return True


def _back_to_browser(unit: EventScope, row: InboxRow, event: Event, mark: Mark) -> None:
    """Have the erased user logged out there, and the event counted for whose the browser is."""
    bucket = buckets.of_user(UUID(event.browser))
    out = LogOut(customer=event.customer, key=_key_of(event.ids) or "", at=milliseconds(mark.at))
    unit.outbox.send(bucket, InboxKind.LOG_OUT, out)
    ids = [one for one in event.ids if one[0] != USER_KEY]
    again = msgspec.structs.replace(event, user=event.browser, ids=ids, via=[], forwarded=False, browser="")
    unit.outbox.send(bucket, InboxKind.EVENT, again, row.body)


def _user(unit: EventScope, event: Event) -> UUID:
    """Returns whom the request names: our own id if it carries one, else the first id's owner, new ones included."""
    if event.user is not None:
        return user_ids.as_uuid(event.user)
    kind, value = event.ids[0]
    identity = unit.identities.get(event.customer, kind, value)
    if identity is not None and identity.user_id is not None:
        return identity.user_id
    owner = unit.profiles.new_user_id(event.customer, buckets.of_value(value))
    if identity is None:
        unit.identities.create(event.customer, kind, value, owner)
    else:
        identity.give_to(owner)
    return owner


def _goes_back(unit: EventScope, row: InboxRow, event: Event | Confirm, owner: UUID) -> bool:
    """Whether what led to the owner, of whom there is no profile, is older than an erasure of the owner.

    A merged profile, or an id, of the erased person still names the owner: it is erased, and the event goes again from
    there. Else the erased user would be known again, whom the request did not name.
    """
    via = event.via if event.user is not None else [""]
    mark = unit.erasures.latest((event.customer, USER, str(owner))) if via else None
    if mark is None:
        return False
    if isinstance(event, Event) and event.browser and via == [""]:
        extend_to_id(unit.outbox, event.customer, mark, event.ids[0], [str(owner)])
        _back_to_browser(unit, row, event, mark)
        return True
    *before, last = via
    if last:
        extend_to_user(unit.outbox, event.customer, mark, last, None, str(owner))
        bucket = buckets.of_user(UUID(last))
    else:
        extend_to_id(unit.outbox, event.customer, mark, event.ids[0], [str(owner)])
        bucket = buckets.of_value(event.ids[0][1])
    kind = InboxKind.EVENT if isinstance(event, Event) else InboxKind.CONFIRM
    again = msgspec.structs.replace(event, user=last or None, via=before, forwarded=bool(before))
    unit.outbox.send(bucket, kind, again, row.body)
    return True


def _forward(unit: EventScope, row: InboxRow, event: Event, user_id: UUID) -> None:
    if event.user != str(user_id):
        event.via = [*event.via, event.user or ""]
    event.user, event.forwarded = str(user_id), True
    event.confirmed = event.confirmed or bool(event.ids)
    unit.outbox.send(buckets.of_user(user_id), InboxKind.EVENT, event, row.body)


def _move(unit: EventScope, row: InboxRow, event: Event) -> None:
    """The browser logged in as somebody else than the profile's user: the event goes there, nobody is merged."""
    event.mover = event.browser or event.user or ""
    event.user, event.via = None, []
    event.ids.sort(key=lambda one: one[0] != USER_KEY)
    unit.outbox.send(buckets.of_value(event.ids[0][1]), InboxKind.EVENT, event, row.body)


def _apply(unit: EventScope, row: InboxRow, event: Event, profile: ProfileState) -> None:
    received = receipt_time(row.received_at)
    unit.kept_rows.note(profile, row)
    if event.nobody:
        sampler.note_nobody(event.customer, event.pixel, event.nobody)
        event.nobody = []
    if not event.counted:
        sampler.note_event(event.customer, event.pixel)
        profile.record(event.pixel, event.at, unit.catalogue.days(event.customer).day_of(event.at))
    elif event.seen:
        profile.see(event.pixel, event.seen)
    if event.dimensions:
        profile.set_dimensions(event.dimensions, event.at, received)
    if row.body:
        values, origins = prepare_data(unit, row, event, profile, received)
        profile.set_attributes(values, event.at, received, origins)
    if event.confirmed or event.ids:
        profile.confirm()
    if event.listing is not None:
        unit.listings.note(row, event.listing, profile)
    link_ids(unit, profile, event.ids, event.pixel, time_of(event))


def needs_confirm(confirm: Confirm, needs: Needs) -> None:
    needs.profiles.add((confirm.customer, UUID(confirm.user)))
    needs.named.add((confirm.customer, USER, confirm.user))
    needs.named.update((confirm.customer, kind, value) for kind, value in confirm.ids if kind != COOKIE)


def absorb_confirm(unit: EventScope, row: InboxRow, confirm: Confirm) -> None:
    """The browser kept its id: the user is real, and is whoever the first request named."""
    user_id = UUID(confirm.user)
    profile = unit.profiles.get(confirm.customer, user_id)
    confirm.ids = unit.deleted_platforms.without(confirm.customer, confirm.ids)
    if _is_of_erased(unit, row, confirm) or (profile is None and _goes_back(unit, row, confirm, user_id)):
        return
    if unit.profiles.has_opted_out(profile, user_id):
        return
    if profile is None:
        profile = unit.profiles.create(confirm.customer, user_id, milliseconds(row.received_at))
    if not confirm.forwarded:
        _add_login(unit, row, profile, confirm)
    if profile.merged_into is not None:
        confirm.via = [*confirm.via, confirm.user]
        confirm.user, confirm.forwarded = str(profile.merged_into), True
        unit.outbox.send(buckets.of_user(profile.merged_into), InboxKind.CONFIRM, confirm)
        return
    unit.kept_rows.note(profile, row)
    profile.confirm()
    if not profile.is_another_than(_key_of(confirm.ids)):
        link_ids(unit, profile, confirm.ids, 0, confirm.at)
