"""Static audiences: made, and their lists changed, by ids that a call, a paste or a file gives.

An id that nobody has is no reason to make a profile: it is counted as unknown. Only an import makes people. Each id
goes to its own bucket as an event that says nothing but that its user is on the list, or is not any more.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from django.db import transaction
from django.db.models import Sum

from audiences import history
from audiences.models import Audience, ListChange, ListChangeBucket
from audiences.services import AudienceInUseError, build
from core import audit, buckets, clock, user_ids
from core.clock import milliseconds
from core.errors import InvalidParameterError
from core.ids.left_out import LeftOut
from core.inbox import InboxCommand, InboxKind
from core.limits import RequestLimits
from core.messages import Event, Id, Listing, encode
from core.models import Customer
from core.own_ids import words_in
from core.transactions import send
from profiles.events.ids import IdReader
from profiles.personal.protection import PersonalDataError, Protection

MOST_IDS = 10_000
"""Of one call or paste. More come as a file."""

USERS, USER_KEYS = "users", "user_keys"
"""The hub's own user ids, and the customer's."""


class RefusedId(NamedTuple):
    """An id that was left out: the number of its line (from 1), and why. It does not quote the id."""

    line: int
    message: str


@dataclass(frozen=True, slots=True)
class ListedIds:
    """Ids as they can be sent, and those that cannot."""

    good: list[Id] = field(default_factory=list)
    refused: list[RefusedId] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ChangeCounts:
    """What became of a change so far. `unknown`: ids of nobody whom the customer knows, or who has opted out."""

    changed: int = 0
    unchanged: int = 0
    unknown: int = 0

    @property
    def all(self) -> int:
        return self.changed + self.unchanged + self.unknown


def create_static(customer: Customer, name: str, *, by: str = "", alert_percent: int | None = None) -> Audience:
    """Create a static audience, with nobody on its list."""
    with transaction.atomic():
        audience = Audience.objects.create(
            customer=customer, name=name, kind=Audience.Kind.STATIC, alert_percent=alert_percent
        )
        history.keep_version(audience, "made", by)
        build(audience)
    return audience


def read_ids(customer: Customer, kind: str, given: Iterable[str]) -> ListedIds:
    """Read ids as any request's are read: in their one spelling, hashed where they are personal data in clear.

    `kind` is `USERS` or `USER_KEYS`. Empty lines are passed over.
    """
    reader = IdReader(RequestLimits(), Protection.of_customer(customer), words_in(customer.nobody_words))
    found = ListedIds()
    for line, text in enumerate(given, 1):
        if text.strip():
            try:
                found.good.append(_user(text.strip()) if kind == USERS else _user_key(reader, text.strip()))
            except _UnusableIdError as why:
                found.refused.append(RefusedId(line, str(why)))
    return found


class _UnusableIdError(ValueError):
    """The id is none; the message says why, and does not quote it."""


def _user(text: str) -> Id:
    user = user_ids.parse(text)
    if user is None:
        raise _UnusableIdError("is no user id of ours (a version 4 UUID)")
    return "", user


def _user_key(reader: IdReader, text: str) -> Id:
    nobody: list[LeftOut] = []
    try:
        found = reader.user(text, nobody)
    except InvalidParameterError:
        raise _UnusableIdError("is too long for an id, or holds control characters") from None
    except PersonalDataError as personal:
        raise _UnusableIdError(personal.message) from None
    if not found:
        raise _UnusableIdError(f"names nobody: it is a {nobody[0][1]}" if nobody else "names nobody")
    return found[0]


def change_list(audience: Audience, action: str, ids: ListedIds, *, by: str = "") -> ListChange:
    """Put users on the list, or take them off it (`ListChange.Action`). It is done once the buckets have absorbed it.

    Raises `AudienceInUseError` where the audience is not static, or is being deleted.
    """
    with transaction.atomic():
        change = begin_change(audience, action, by=by)
        change.given, change.refused = len(ids.good), len(ids.refused)
        change.save(update_fields=["given", "refused"])
        send(_commands(audience, change, ids.good))
        after = {"change": change.pk, "given": change.given, "refused": change.refused}
        audit.record(action, "audience list", audience.pk, audience.name, customer=audience.customer_id, after=after)
    return change


def begin_change(audience: Audience, action: str, *, by: str = "") -> ListChange:
    """Record a change whose ids follow. Raises as `change_list` does."""
    locked = Audience.objects.select_for_update(no_key=True).get(pk=audience.pk)
    if locked.kind != Audience.Kind.STATIC:
        raise AudienceInUseError("only a static audience has a list: this one decides by itself who is in it")
    if locked.status == Audience.Status.DELETING:
        raise AudienceInUseError("it is being deleted")
    return ListChange.objects.create(audience=locked, action=action, by=by[:200], at=clock.now())


def listing_of(change: ListChange, *, known: bool) -> Listing:
    """Returns what a row of the change says. `known`: it must not make a user."""
    is_on = change.action == ListChange.Action.ADD
    return Listing(audience=change.audience_id, change=change.pk, listed=is_on, known=known)


def _commands(audience: Audience, change: ListChange, ids: Sequence[Id]) -> list[InboxCommand]:
    """Returns a row for each id. One of ours names its profile: `forwarded`, so no login of the browser matters."""
    now, listing = clock.now(), listing_of(change, known=True)
    commands = []
    for kind, value in ids:
        event = Event(customer=audience.customer_id, pixel=0, at=milliseconds(now), counted=True, listing=listing)
        if kind:
            event.ids = [(kind, value)]
        else:
            event.user, event.forwarded, event.confirmed = value, True, listing.listed
        bucket = buckets.of_value(value) if kind else user_ids.bucket_of(value)
        commands.append(InboxCommand(bucket, InboxKind.EVENT, encode(event), now))
    return commands


def counts_of(changes: Iterable[int]) -> dict[int, ChangeCounts]:
    """Returns what became of these changes so far, by their number."""
    wanted = list(changes)
    rows = ListChangeBucket.objects.filter(change_id__in=wanted).values("change_id")
    counted = rows.annotate(on=Sum("changed"), same=Sum("unchanged"), nobody=Sum("unknown"))
    found = {row["change_id"]: ChangeCounts(row["on"], row["same"], row["nobody"]) for row in counted}
    return dict.fromkeys(wanted, ChangeCounts()) | found
