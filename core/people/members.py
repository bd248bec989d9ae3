"""Whom an admin sees among the people who use the console, and what an admin may do with them."""

from dataclasses import dataclass

from django.contrib.auth.models import User
from django.db.models import Prefetch, Q, QuerySet

from core.access import Access, Role, greater
from core.errors import BeyondAccessError
from core.models import Customer
from core.people.last_admin import admin_remains
from core.people.models import TeamMember, end_sessions


@dataclass(frozen=True, slots=True)
class MemberRole:
    role: str
    customer: int | None


def people_seen_by(access: Access) -> QuerySet[User]:
    """Return the people who have a role for a customer of the access, each with those roles only (`seen_roles`)."""
    roles = _roles(access)
    if access.customers is None:
        people = User.objects.filter(Q(is_superuser=True) | Q(memberships__isnull=False))
    else:
        people = User.objects.filter(memberships__in=roles)
    return people.distinct().order_by("username").prefetch_related(Prefetch("memberships", roles, "seen_roles"))


def roles_of(user: User) -> list[MemberRole]:
    """Return the roles of somebody of whom `people_seen_by` told, as far as its access sees them."""
    if user.is_superuser:
        return [MemberRole(Role.ADMIN.value, None)]
    seen: list[TeamMember] = getattr(user, "seen_roles", [])
    return [MemberRole(one.role, one.customer_id) for one in seen]


def change_roles(giver: Access, user: User, given: Access) -> None:
    """Make this role, for these customers, the only one that the person has among the giver's customers.

    Raises `BeyondAccessError` where the giver would give more than they have, and `LastAdminError`.
    """
    if given.role is None or not giver.covers(given):
        raise BeyondAccessError
    with admin_remains():
        _roles(giver).filter(user=user).delete()
        if user.is_superuser and not giver.is_bound:
            user.is_superuser = False
            user.save(update_fields=["is_superuser"])
        give_role(user, given)
    _end_log_ins(giver, user)


def remove(giver: Access, user: User) -> None:
    """Take from the person every role among the giver's customers. Raises `LastAdminError`."""
    with admin_remains():
        _roles(giver).filter(user=user).delete()
        if not giver.is_bound:
            user.is_superuser = False
        user.is_staff = user.is_superuser or user.memberships.exists()
        user.save(update_fields=["is_superuser", "is_staff"])
    _end_log_ins(giver, user)


def _end_log_ins(giver: Access, user: User) -> None:
    """End the person's log-ins, but not for other tenants: roles are read for each request, so they count at once."""
    if giver.customers is not None:
        elsewhere = TeamMember.objects.filter(user=user).exclude(customer_id__in=giver.customers)
        if user.is_superuser or elsewhere.exists():
            return
    end_sessions(user.pk)


def _roles(access: Access) -> QuerySet[TeamMember]:
    rows = TeamMember.objects.order_by("customer_id")
    return rows if access.customers is None else rows.filter(customer_id__in=access.customers)


def give_role(user: User, given: Access) -> None:
    """Let the person have the role for these customers, beside what they have. A greater role that they have stays.

    Customers that are deleted meanwhile are left out.
    """
    assert given.role is not None
    customers: list[Customer | None] = [None]
    if given.customers is not None:
        customers = list(Customer.objects.filter(pk__in=given.customers))
    for customer in customers:
        row, is_new = TeamMember.objects.get_or_create(
            user=user, customer=customer, defaults={"role": given.role.value}
        )
        if not is_new and greater(Role(row.role), given.role) is not Role(row.role):
            row.role = given.role.value
            row.save(update_fields=["role"])
    if not user.is_staff:
        user.is_staff = True
        user.save(update_fields=["is_staff"])
