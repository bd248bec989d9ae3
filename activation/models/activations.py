"""Activations: which audience goes to which platform, and how far that is."""

from django.db import models

from audiences.models import Audience
from core.configuration import ConfigurationModel
from integrations.models import Platform


class Activation(ConfigurationModel):
    """An audience sent to a platform, where it lives on as a segment."""

    numbered = True
    customer_path = "audience__customer_id"
    unaudited_fields = frozenset({"last_error", "possible_orphan", "broken_by", "trouble", "status_since"})

    class Status(models.TextChoices):
        PENDING = "pending", "pending: the segment is being created"
        LIVE = "live"
        PAUSED = "paused"
        BROKEN = "broken", "broken: the platform refuses the credentials or the settings"
        ENDING = "ending", "ending: its members are being removed"

    class Trouble(models.TextChoices):
        """Why an activation is broken."""

        CREDENTIALS = "credentials"
        REDIRECT = "redirect"
        SETTINGS = "settings"
        REFUSED = "refused", "refused: everybody is"
        CONNECTOR = "connector", "connector: it has a fault"
        CREATION = "creation", "creation: of the segment"

    audience = models.ForeignKey(Audience, models.CASCADE, related_name="activations")
    platform = models.ForeignKey(Platform, models.CASCADE, related_name="activations")
    name = models.CharField(
        max_length=100,
        blank=True,
        default="",
        db_default="",
        help_text="Tells it apart from others of the same audience on the same platform; a part of the segment's name.",
    )
    settings = models.JSONField(default=dict, blank=True)
    status = models.CharField(max_length=7, choices=Status.choices, default=Status.PENDING)
    segment_id = models.JSONField(null=True, blank=True, help_text="The platform's id, in the platform's own type.")
    last_error = models.TextField(blank=True)
    possible_orphan = models.TextField(
        blank=True, help_text="What the platform may hold besides: a segment whose creation was cut off."
    )
    broken_by = models.CharField(
        max_length=64,
        blank=True,
        editable=False,
        help_text="Stands for the settings and credentials refused.",
    )
    trouble = models.CharField(
        max_length=11, choices=Trouble.choices, blank=True, default="", db_default="", editable=False
    )
    status_since = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "activation"
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                "audience",
                "platform",
                "name",
                name="activation_once_per_name",
                violation_error_message="This audience is sent to this platform already: give a name.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.segment_name} → {self.platform}"

    @property
    def segment_name(self) -> str:
        """What the platform is told: the audience's name, with the activation's own where it has one."""
        return f"{self.audience.name} – {self.name}" if self.name else self.audience.name


class ActivationCount(models.Model):
    """How many deliveries of an activation are in which state, in one bucket: the sum of two rows.

    `matched`: members of its audience whom the platform knows.
    `locked`: written by whoever holds the bucket's lock; the other by all others (`stores.activation_counts`).
    Either may be negative.
    """

    pk = models.CompositePrimaryKey("bucket", "period", "activation_id", "locked")
    bucket = models.SmallIntegerField()
    period = models.IntegerField(db_default=0)
    activation_id = models.IntegerField()
    locked = models.BooleanField()
    wanted = models.IntegerField(db_default=0)
    acknowledged = models.IntegerField(db_default=0)
    due = models.IntegerField(db_default=0)
    in_flight = models.IntegerField(db_default=0)
    dead = models.IntegerField(db_default=0)
    kept = models.IntegerField(db_default=0)
    matched = models.IntegerField(db_default=0)

    class Meta:
        db_table = "activation_count"
        indexes = [models.Index("activation_id", name="activation_count_by_activation")]

    def __str__(self) -> str:
        return f"{self.activation_id}, bucket {self.bucket}"


class Backfill(models.Model):
    """A bucket of users that an activation still has to be filled from."""

    pk = models.CompositePrimaryKey("bucket", "activation_id")
    bucket = models.SmallIntegerField()
    activation_id = models.IntegerField()

    class Meta:
        db_table = "activation_backfill"

    def __str__(self) -> str:
        return f"{self.activation_id}, bucket {self.bucket}"


class Withdrawal(models.Model):
    """A bucket of platform ids of an activation that ends: its deliveries may still be wanted."""

    pk = models.CompositePrimaryKey("bucket", "activation_id")
    bucket = models.SmallIntegerField()
    activation_id = models.IntegerField()

    class Meta:
        db_table = "activation_withdrawal"

    def __str__(self) -> str:
        return f"{self.activation_id}, bucket {self.bucket}"


class SegmentNumber(models.Model):
    """The last segment id that the hub gave out in a namespace; none is ever used again."""

    namespace = models.TextField(primary_key=True)
    last = models.IntegerField()

    class Meta:
        db_table = "segment_number"

    def __str__(self) -> str:
        return f"{self.namespace}: {self.last}"
