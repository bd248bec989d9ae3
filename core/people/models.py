"""Tables of the people who use the console: their roles, log-ins that have ended, and invitations.

A link of an invitation serves once: who opens it gets its role.
"""

from datetime import datetime

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.contrib.postgres.fields import ArrayField
from django.db import models, transaction

from core import audit, clock
from core.access import EVERYTHING, NO_ACCESS, Access, Role, of_memberships
from core.audit.models import AuditedManager, AuditedModel


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


class EndedSessions(models.Model):
    """Log-ins of the person that began before this moment are ended."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, primary_key=True, related_name="ended_sessions"
    )
    at = models.DateTimeField()

    class Meta:
        db_table = "ended_sessions"

    def __str__(self) -> str:
        return f"{self.user}: {self.at}"


def end_sessions(user: int) -> None:
    """End every log-in of the person that has begun so far."""
    with transaction.atomic():
        EndedSessions.objects.update_or_create(user_id=user, defaults={"at": clock.now()})
        audit.record("end log-ins", "person", user)


def sessions_ended_at(user: int) -> datetime | None:
    """Return the moment before which log-ins of the person count no more; None: all count."""
    return EndedSessions.objects.filter(user_id=user).values_list("at", flat=True).first()


class Invitation(models.Model):
    """What is given to whoever opens the link. The link's token is not stored, only its digest."""

    role = models.CharField(max_length=8, choices=RoleChoice.choices)
    customers = ArrayField(models.IntegerField(), null=True, help_text="Empty: every customer.")
    email = models.EmailField(blank=True)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    created_by = models.CharField(max_length=200)
    # numbers, and no foreign keys: the invitation must still say that it had a giver when that one is deleted
    giver_person = models.IntegerField(null=True)
    giver_key = models.BigIntegerField(null=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True)
    accepted_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "invitation"

    def __str__(self) -> str:
        return f"invitation {self.pk} ({self.role})"

    @property
    def access(self) -> Access:
        return Access(Role(self.role), None if self.customers is None else frozenset(self.customers))

    @property
    def state(self) -> str:
        if self.accepted_at or self.revoked_at:
            return "accepted" if self.accepted_at else "revoked"
        return "expired" if self.expires_at <= clock.now() else "pending"
