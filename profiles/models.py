"""What we know of a user, and where it is collected."""

from django.db import models

from edge.configuration import Configuration
from edge.models import Customer
from integrations.models import Platform


class Pixel(Configuration):
    """A collection point: requests name it by `id`."""

    id = models.AutoField("pixel id", primary_key=True)
    customer = models.ForeignKey(Customer, models.CASCADE, related_name="pixels")
    name = models.CharField(max_length=200)
    user_key = models.CharField(
        "user key",
        max_length=200,
        blank=True,
        help_text="The attribute in the data that holds your own user id, for example UserId.",
    )
    integrations = models.ManyToManyField(Platform, through="PixelIntegration", blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "pixel"
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.name} ({self.id})"


class PixelIntegration(Configuration):
    """A platform whose user sync a pixel starts."""

    pixel = models.ForeignKey(Pixel, models.CASCADE)
    platform = models.ForeignKey(Platform, models.CASCADE)
    priority = models.SmallIntegerField(default=0, help_text="Higher ones are synced first.")

    class Meta:
        db_table = "pixel_integration"
        constraints = [
            models.UniqueConstraint("pixel", "platform", name="pixel_integration_once"),
        ]

    def __str__(self) -> str:
        return f"{self.pixel} → {self.platform}"


class Attribute(Configuration):
    """A path seen in, or declared for, the data; usable for audiences once enabled."""

    class Type(models.TextChoices):
        STRING = "string"
        NUMBER = "number"
        INTEGER = "integer"
        BOOLEAN = "boolean"
        TIME = "time"
        MIXED = "mixed"

    customer = models.ForeignKey(Customer, models.CASCADE, related_name="attributes")
    path = models.CharField(max_length=400, help_text="Dotted path into the data, for example Address.City.")
    name = models.CharField(max_length=200, blank=True, help_text="What marketers call it.")
    type = models.CharField(max_length=7, choices=Type.choices, default=Type.MIXED)
    enabled = models.BooleanField(default=False, help_text="Only enabled attributes can be used in audiences.")
    fixed = models.BooleanField(
        default=False, db_default=False, help_text="Somebody chose the type: it is no longer what is seen."
    )
    personal = models.BooleanField(
        default=False, db_default=False, help_text="Holds personal data: no examples of it are kept or shown."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "attribute"
        ordering = ["path"]
        constraints = [
            models.UniqueConstraint("customer", "path", name="attribute_once_per_customer"),
        ]

    def __str__(self) -> str:
        return self.name or self.path


class AttributeSighting(models.Model):
    """When an attribute was seen and what it looked like; kept apart from the configuration.

    `types` counts its values by type, as they came; `events` the events that held it. `examples` are a few
    short values, as text; none of a personal attribute.
    """

    attribute_id = models.BigIntegerField(primary_key=True)
    first_seen = models.DateTimeField()
    last_seen = models.DateTimeField()
    events = models.BigIntegerField(default=0)
    types = models.JSONField(default=dict)
    examples = models.JSONField(default=list)

    class Meta:
        db_table = "attribute_sighting"

    def __str__(self) -> str:
        return f"{self.attribute_id} at {self.last_seen}"


class DataSeen(models.Model):
    """What one customer's data amounts to, and what of it was too much to catalogue.

    `events` of which the catalogue's shares are counted. `left_out` counts the times a path was seen that found no
    room; `left_out_marks` is a bitmap of their hashes, by which the number of such paths is estimated.
    """

    customer_id = models.IntegerField(primary_key=True)
    events = models.BigIntegerField(default=0)
    left_out = models.BigIntegerField(default=0)
    left_out_marks = models.BinaryField(default=b"")
    left_out_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "data_seen"

    def __str__(self) -> str:
        return f"data of {self.customer_id}"


class Identity(models.Model):
    """An id that names a user, in the bucket of the id's value.

    `kind` is `user` (the customer's own user id), `device:<parameter>`, `euid:<pl>` or `platform:<pl>` (a
    synced id: `epoch` counts its owners). Our own user ids need no row: they name their profile.
    """

    pk = models.CompositePrimaryKey("bucket", "customer_id", "kind", "value")
    bucket = models.SmallIntegerField()
    customer_id = models.IntegerField()
    kind = models.CharField(max_length=40)
    value = models.TextField()
    user_id = models.UUIDField(null=True, help_text="Empty: nobody's any more.")
    epoch = models.IntegerField(default=0)
    since = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, help_text="When the owner loses it, unless it is synced again.")

    class Meta:
        db_table = "identity"
        indexes = [
            models.Index(
                "bucket", "expires_at", name="identity_expiring", condition=models.Q(expires_at__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.value}"


class KnownUsers(models.Model):
    """How many users of a customer one bucket knows: its eligible profiles, counted by whoever saves them."""

    pk = models.CompositePrimaryKey("bucket", "customer_id")
    bucket = models.SmallIntegerField()
    customer_id = models.IntegerField()
    users = models.IntegerField()

    class Meta:
        db_table = "known_users"

    def __str__(self) -> str:
        return f"{self.users} of {self.customer_id} in {self.bucket}"


class OptOut(models.Model):
    """A browser that does not want to be known, for every customer, those still to come included."""

    pk = models.CompositePrimaryKey("bucket", "user_id")
    bucket = models.SmallIntegerField()
    user_id = models.UUIDField()
    since = models.DateTimeField()

    class Meta:
        db_table = "opt_out"

    def __str__(self) -> str:
        return f"{self.user_id} since {self.since}"


class Erased(models.Model):
    """An id, known by a keyed hash only, of somebody who was erased: rows accepted up to `at` are dropped."""

    pk = models.CompositePrimaryKey("bucket", "customer_id", "mark")
    bucket = models.SmallIntegerField()
    customer_id = models.IntegerField()
    mark = models.BinaryField()
    at = models.DateTimeField()

    class Meta:
        db_table = "erased"

    def __str__(self) -> str:
        return f"{self.bucket} at {self.at}"


class Profile(models.Model):
    """One user of one customer.

    `times` holds, for each top-level attribute (`a:<name>`) and dimension (`d:<name>`), when it was set
    (unix ms of the event, then of its receipt). `activity` is `{"<pixel>": {"first", "last" (unix ms),
    "total", "days": {"<days since 1970>": count}}}`. `ids` lists the other ids that name the user, as
    `[kind, value]`. A merged profile stays as a tombstone that names its survivor. `login` is the customer user
    to whom the browser with this very id has moved, by a login at `login_at`.
    """

    pk = models.CompositePrimaryKey("bucket", "customer_id", "user_id")
    bucket = models.SmallIntegerField()
    customer_id = models.IntegerField()
    user_id = models.UUIDField()
    attributes = models.JSONField(default=dict)
    dimensions = models.JSONField(default=dict)
    times = models.JSONField(default=dict)
    activity = models.JSONField(default=dict)
    ids = models.JSONField(default=list)
    confirmed = models.BooleanField(default=False, help_text="Only confirmed users can be in audiences.")
    merged_into = models.UUIDField(null=True)
    opted_out = models.BooleanField(db_default=False)
    login = models.TextField(db_default="", help_text="Whose this browser is now, where not the profile's own.")
    login_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        db_table = "profile"
        indexes = [
            models.Index(
                "bucket",
                "created_at",
                name="profile_unconfirmed",
                condition=models.Q(confirmed=False, merged_into=None, opted_out=False),
            ),
        ]

    def __str__(self) -> str:
        return str(self.user_id)


class ProfileMerge(models.Model):
    """Why a user's id answers with another: in the bucket of the winner, whom the loser was merged into.

    The cause: the id that both were seen with, and the pixel that saw it (0: none, a browser that came back).
    """

    pk = models.CompositePrimaryKey("bucket", "customer_id", "winner", "loser")
    bucket = models.SmallIntegerField()
    customer_id = models.IntegerField()
    winner = models.UUIDField()
    loser = models.UUIDField()
    kind = models.CharField(max_length=40)
    value = models.TextField()
    pixel_id = models.IntegerField()
    at = models.DateTimeField()

    class Meta:
        db_table = "profile_merge"

    def __str__(self) -> str:
        return f"{self.loser} → {self.winner}"


class HotId(models.Model):
    """An id that would have given a user more ids than a person has: set aside, and nothing merged by it.

    In the bucket of that user; `times` counts how often.
    """

    pk = models.CompositePrimaryKey("bucket", "customer_id", "user_id", "kind", "value")
    bucket = models.SmallIntegerField()
    customer_id = models.IntegerField()
    user_id = models.UUIDField()
    kind = models.CharField(max_length=40)
    value = models.TextField()
    times = models.IntegerField()
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()

    class Meta:
        db_table = "hot_id"

    def __str__(self) -> str:
        return f"{self.kind} {self.value}"
