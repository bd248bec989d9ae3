"""Invitations: an admin gives a role for some customers, or for all, to whoever opens a link. A link serves once."""

import secrets
from datetime import timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet

from core import audit, clock
from core.access import Access
from core.api_keys import digest
from core.errors import BeyondAccessError, InvalidInvitationError
from core.people.members import give_role
from core.people.models import Invitation

VALID_FOR = timedelta(days=7)


def invite(giver: Access, given: Access, by: str, email: str = "") -> tuple[Invitation, str]:
    """Return the invitation and the token of its link, which is not kept.

    Raises `BeyondAccessError` where the giver would give more than they have.
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
    return row if row is not None and row.state == "pending" else None


def accept(invitation: int, user: User) -> Invitation:
    """Give the person what the invitation says. Raises `InvalidInvitationError` where it serves no longer."""
    with transaction.atomic():
        row = Invitation.objects.select_for_update().filter(pk=invitation).first()
        if row is None or row.state != "pending":
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


def _record(action: str, row: Invitation, after: dict[str, object]) -> None:
    only = row.customers[0] if row.customers and len(row.customers) == 1 else None
    audit.record(action, "invitation", row.pk, customer=only, after=after)
