"""Who belongs."""

from django.db import models

from edge.configuration import Configuration
from edge.models import Customer


class Audience(Configuration):
    """A described set of users, kept exact from the moment it is built."""

    class Kind(models.TextChoices):
        CUSTOM = "custom"
        LOOKALIKE = "lookalike"

    class Status(models.TextChoices):
        BUILDING = "building"
        LIVE = "live"
        PAUSED = "paused"

    customer = models.ForeignKey(Customer, models.CASCADE, related_name="audiences")
    name = models.CharField(max_length=255)
    kind = models.CharField(max_length=9, choices=Kind.choices, default=Kind.CUSTOM)
    rule = models.JSONField(null=True, blank=True, help_text="The rule, as react-querybuilder writes it.")
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.BUILDING)
    version = models.PositiveIntegerField(default=1, help_text="Raised whenever the rule changes.")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "audience"
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint("customer", "name", name="audience_name_once_per_customer"),
        ]

    def __str__(self) -> str:
        return self.name


class AudienceBucket(models.Model):
    """How far one bucket of an audience is built, and how many members it has."""

    pk = models.CompositePrimaryKey("bucket", "audience_id")
    bucket = models.SmallIntegerField()
    audience_id = models.IntegerField()
    version = models.IntegerField(default=0)
    size = models.IntegerField(default=0)

    class Meta:
        db_table = "audience_bucket"
        indexes = [models.Index("audience_id", "version", name="audience_bucket_by_audience")]

    def __str__(self) -> str:
        return f"{self.audience_id}/{self.bucket}: {self.size}"


class Membership(models.Model):
    """Whether a user is in an audience, since when, and when to look again without being asked.

    Users who are not in, but may come in by time alone, have a row too.
    """

    pk = models.CompositePrimaryKey("bucket", "audience_id", "user_id")
    bucket = models.SmallIntegerField()
    audience_id = models.IntegerField()
    user_id = models.UUIDField()
    customer_id = models.IntegerField()
    member = models.BooleanField()
    since = models.DateTimeField()
    version = models.IntegerField(default=0, help_text="How often the user entered or left.")
    look_again_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "membership"
        indexes = [
            models.Index("bucket", "user_id", "audience_id", name="membership_by_user"),
            models.Index(
                "bucket",
                "look_again_at",
                name="membership_due",
                condition=models.Q(look_again_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {'in' if self.member else 'not in'} {self.audience_id}"
