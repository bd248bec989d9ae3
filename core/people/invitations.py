"""Invitations: an admin gives a role for some customers, or for all, to whoever opens a link. A link serves once."""

import secrets
from datetime import timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet

from core import audit, clock
from core.access import Access, of_key
from core.api_keys import digest
from core.errors import BeyondAccessError, InvalidInvitationError
from core.models import ApiKey
from core.people.members import give_role
from core.people.models import Invitation, access_of

VALID_FOR = timedelta(days=7)


def invite(
    giver: Access, given: Access, by: str, email: str = "", *, person: int | None = None, key: int | None = None
) -> tuple[Invitation, str]:
    """Return the invitation and the token of its link, which is not kept.

    `person` or `key`: the number of the giver. Once they have less than they gave, the link is useless. Raises
    `BeyondAccessError` where the giver would give more than they have.
    """
    if given.role is None or given.customers == frozenset() or not giver.covers(given):
        raise BeyondAccessError
    token, now = secrets.token_urlsafe(32), clock.now()
    with transaction.atomic():
        row = Invitation.objects.create(
            role=given.role.value,
            customers=None if given.customers is None else sorted(given.customers),
            email=email,
            digest=digest(token),
            created_by=by[:200],
            giver_person=person,
            giver_key=key,
            created_at=now,
            expires_at=now + VALID_FOR,
        )
        _record("create", row, {"role": row.role, "customers": row.customers})
    return row, token


def seen_by(access: Access) -> QuerySet[Invitation]:
    """Return the invitations that concern no customer but those of the access; the newest first."""
    rows = Invitation.objects.order_by("-id")
    return rows if access.customers is None else rows.filter(customers__contained_by=sorted(access.customers))


def find(token: str) -> Invitation | None:
    """Return the invitation that the link opens, if it can still be accepted."""
    row = Invitation.objects.filter(digest=digest(token)).first()
    return row if row is not None and _serves(row) else None


def accept(invitation: int, user: User) -> Invitation:
    """Give the person what the invitation says. Raises `InvalidInvitationError` where it serves no longer."""
    with transaction.atomic():
        row = Invitation.objects.select_for_update().filter(pk=invitation).first()
        if row is None or not _serves(row):
            raise InvalidInvitationError
        row.accepted_at, row.accepted_by = clock.now(), user
        row.save(update_fields=["accepted_at", "accepted_by"])
        _record("accept", row, {"person": user.get_username()})
        give_role(user, row.access)
    return row


def revoke(row: Invitation) -> None:
    """Make the link useless, unless it was accepted already."""
    with transaction.atomic():
        pending = Invitation.objects.filter(pk=row.pk, accepted_at=None, revoked_at=None)
        if pending.update(revoked_at=clock.now()):
            _record("revoke", row, {})


def _serves(row: Invitation) -> bool:
    """Whether it can be accepted: it is pending, and its giver still has what it gives, for each of the customers."""
    if row.state != "pending":
        return False
    given = row.access
    parts = [given] if given.customers is None else [Access(given.role, frozenset({one})) for one in given.customers]
    return all(_still_has(row, part) for part in parts)


def _still_has(row: Invitation, part: Access) -> bool:
    if row.giver_key is not None:
        key = ApiKey.objects.filter(pk=row.giver_key).first()
        return key is not None and key.state(clock.now()) == "valid" and of_key(key.role, key.customer_id).covers(part)
    if row.giver_person is None:
        return True  # of the hub itself, or made before givers were noted
    person = User.objects.filter(pk=row.giver_person).first()
    chosen = None if part.customers is None else min(part.customers)
    return person is not None and access_of(person, chosen).covers(part)


def _record(action: str, row: Invitation, after: dict[str, object]) -> None:
    only = row.customers[0] if row.customers and len(row.customers) == 1 else None
    audit.record(action, "invitation", row.pk, customer=only, after=after)
