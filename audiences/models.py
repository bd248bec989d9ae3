"""The tables of audiences, their versions, sizes and members."""

from django.db import models

from audiences.rules.values import parse_duration
from core.configuration import ConfigurationModel
from core.json_field import KeptJSONField
from core.models import Customer


class Audience(ConfigurationModel):
    """A described set of users, kept exact from the moment it is built."""

    numbered = True

    class Kind(models.TextChoices):
        CUSTOM = "custom"
        LOOKALIKE = "lookalike"
        STATIC = "static"

    class Status(models.TextChoices):
        BUILDING = "building"
        LIVE = "live"
        PAUSED = "paused"
        REFUSED = "refused"
        DELETING = "deleting"

    customer = models.ForeignKey(Customer, models.CASCADE, related_name="audiences")
    name = models.CharField(max_length=255)
    kind = models.CharField(max_length=9, choices=Kind.choices, default=Kind.CUSTOM)
    rule = KeptJSONField(null=True, blank=True, help_text="The rule, as react-querybuilder writes it.")
    seed = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="lookalikes",
        help_text="A lookalike holds those who are most like the members of this audience.",
    )
    reach = models.JSONField(
        null=True, blank=True, help_text='How many it holds: {"percent": 1 to 20} of all profiles, or {"people": n}.'
    )
    retrain_days = models.PositiveSmallIntegerField(
        "learn anew every",
        default=0,
        db_default=0,
        help_text="Days after which a lookalike learns from its seed again; 0: only when asked to.",
    )
    model_number = models.PositiveIntegerField(null=True, editable=False, help_text="Of the model in force.")
    threshold = models.FloatField(null=True, editable=False, help_text="The score from which on somebody is in.")
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.BUILDING)
    version = models.PositiveIntegerField(default=1, help_text="Raised whenever the rule changes.")
    ttl = models.CharField(
        "expires after",
        max_length=40,
        blank=True,
        help_text="Members leave this long after the last event that found them in it, e.g. P30D; empty: never.",
    )
    alert_percent = models.PositiveSmallIntegerField(
        "alert at",
        null=True,
        blank=True,
        help_text="Raise an alert when the size moves by more than this many percent within a day; empty: never.",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "audience"
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint("customer", "name", name="audience_name_once_per_customer"),
            models.CheckConstraint(
                name="audience_is_a_rule_a_lookalike_or_a_list",
                condition=models.Q(kind="custom", seed__isnull=True)
                | models.Q(kind="lookalike", rule__isnull=True, seed__isnull=False, reach__isnull=False)
                | models.Q(kind="static", rule__isnull=True, seed__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def ttl_ms(self) -> int | None:
        return parse_duration(self.ttl) if self.ttl else None


class AudienceVersion(models.Model):
    """What an audience was from one change on, what the change was, and who made it."""

    audience = models.ForeignKey(Audience, models.CASCADE, related_name="versions")
    version = models.PositiveIntegerField()
    rule = KeptJSONField(null=True)
    ttl = models.CharField(max_length=40, blank=True)
    change = models.CharField(max_length=60)
    by = models.CharField(max_length=200, help_text="The API key's or the person's name.")
    at = models.DateTimeField()

    class Meta:
        db_table = "audience_version"
        constraints = [models.UniqueConstraint("audience", "version", name="audience_version_once")]

    def __str__(self) -> str:
        return f"{self.audience_id} version {self.version}"


class AudienceHour(models.Model):
    """The size of an audience at the end of an hour (or as last noted in it), with all entries and exits so far."""

    audience = models.ForeignKey(Audience, models.CASCADE, related_name="hours")
    hour = models.DateTimeField()
    size = models.IntegerField()
    entered = models.BigIntegerField()
    gone = models.BigIntegerField()

    class Meta:
        db_table = "audience_hour"
        constraints = [models.UniqueConstraint("audience", "hour", name="audience_hour_once")]

    def __str__(self) -> str:
        return f"{self.audience_id} at {self.hour}: {self.size}"


class AudienceBucket(models.Model):
    """How far one bucket of an audience is built, how many members it has, and how many ever entered and left."""

    pk = models.CompositePrimaryKey("bucket", "period", "audience_id")
    bucket = models.SmallIntegerField()
    period = models.IntegerField(db_default=0)
    audience_id = models.IntegerField()
    version = models.IntegerField(db_default=0)
    size = models.IntegerField(db_default=0)
    entered = models.BigIntegerField(db_default=0)
    gone = models.BigIntegerField(db_default=0)

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


class ListedUser(models.Model):
    """Whether a user is on the list of a static audience, and when that was last said.

    The list is what customers say; the membership follows from it, and from whether the user can be in audiences. A
    user who was taken off keeps a row, so that an earlier addition that arrives later changes nothing.
    """

    pk = models.CompositePrimaryKey("bucket", "audience_id", "user_id")
    bucket = models.SmallIntegerField()
    audience_id = models.IntegerField()
    user_id = models.UUIDField()
    customer_id = models.IntegerField()
    listed = models.BooleanField()
    at = models.DateTimeField()

    class Meta:
        db_table = "listed_user"
        indexes = [models.Index("bucket", "user_id", "audience_id", name="listed_user_by_user")]

    def __str__(self) -> str:
        return f"{self.user_id} {'on' if self.listed else 'off'} the list of {self.audience_id}"


class ListChange(models.Model):
    """One call, paste or file that adds users to a static audience, or removes them. It holds no ids.

    `given`: how many ids were sent to the buckets; None while a file is read.
    """

    class Action(models.TextChoices):
        ADD = "add"
        REMOVE = "remove"

    audience = models.ForeignKey(Audience, models.CASCADE, related_name="list_changes")
    action = models.CharField(max_length=6, choices=Action.choices)
    given = models.BigIntegerField(null=True)
    refused = models.BigIntegerField(default=0, help_text="Ids that are none: they name nobody, or are unsound.")
    by = models.CharField(max_length=200, help_text="The API key's or the person's name.")
    at = models.DateTimeField()

    class Meta:
        db_table = "list_change"
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.action} {self.given} of {self.audience_id}"


class ListChangeBucket(models.Model):
    """What one bucket has made of its ids of a change: `unknown` ones name nobody whom the customer knows."""

    pk = models.CompositePrimaryKey("bucket", "change_id")
    bucket = models.SmallIntegerField()
    change_id = models.BigIntegerField()
    audience_id = models.IntegerField()
    changed = models.BigIntegerField()
    unchanged = models.BigIntegerField()
    unknown = models.BigIntegerField()

    class Meta:
        db_table = "list_change_bucket"

    def __str__(self) -> str:
        return f"{self.changed} of {self.change_id} in {self.bucket}"
