"""Tables of the people who use the console: for which customers they have which role."""

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import models

from core.access import EVERYTHING, NO_ACCESS, Access, Role, of_memberships
from core.audited_models import AuditedManager, AuditedModel


class RoleChoice(models.TextChoices):
    """The roles, with the words by which people choose one."""

    ADMIN = Role.ADMIN.value, "admin: everything"
    MARKETER = Role.MARKETER.value, "marketer: reads and changes a customer's data"
    ANALYST = Role.ANALYST.value, "analyst: reads, but no personal data"


class TeamMember(AuditedModel):
    """A person's role for one customer, or for all. It is no configuration: edges and workers do not read it."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=8, choices=RoleChoice.choices)
    customer = models.ForeignKey(
        "core.Customer", models.CASCADE, null=True, blank=True, help_text="Empty: every customer's data."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    objects = AuditedManager()

    class Meta:
        db_table = "team_member"
        constraints = [
            # a person has one role for a customer
            models.UniqueConstraint(fields=["user", "customer"], nulls_distinct=False, name="team_member_once")
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.role} of {self.customer or 'every customer'}"


def access_of(user: AbstractBaseUser | AnonymousUser, chosen: int | None = None) -> Access:
    """Return what the person may do: for the chosen customer, or for all of theirs together.

    A superuser is an admin of every customer. A person who was made inactive may do nothing.
    """
    if not user.is_authenticated or not user.is_active:
        return NO_ACCESS
    if getattr(user, "is_superuser", False):
        return EVERYTHING if chosen is None else Access(Role.ADMIN, frozenset({chosen}))
    rows = TeamMember.objects.filter(user_id=user.pk).values_list("role", "customer_id")
    return of_memberships(((Role(role), customer) for role, customer in rows), chosen)
