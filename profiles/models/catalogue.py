"""What customers' data holds: the External Attributes service."""

from django.core.exceptions import ValidationError
from django.db import models

from core.configuration import ConfigurationModel
from core.json_field import KeptJSONField
from core.models import Customer
from profiles.paths import check_name


class Attribute(ConfigurationModel):
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
    sensitive = models.BooleanField(
        default=False, db_default=False, help_text="Nobody is to be judged by it: lookalikes do not learn from it."
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

    def clean(self) -> None:
        if self._state.adding:
            refuse_bad_name("path", self.path)


def refuse_bad_name(field: str, path: str) -> None:
    """Raises ValidationError where no attribute may have this path."""
    try:
        check_name(path)
    except ValueError as error:
        raise ValidationError({field: str(error)}) from None


class AttributeStatistics(models.Model):
    """When an attribute was seen and what it looked like; kept apart from the configuration.

    `types` counts its values by type, as they came; `events` the events that held it. `examples` are a few
    short values, as text; none of a personal attribute.
    """

    attribute_id = models.BigIntegerField(primary_key=True)
    first_seen = models.DateTimeField()
    last_seen = models.DateTimeField()
    events = models.BigIntegerField(default=0)
    types = models.JSONField(default=dict)
    examples = KeptJSONField(default=list)

    class Meta:
        db_table = "attribute_statistics"

    def __str__(self) -> str:
        return f"{self.attribute_id} at {self.last_seen}"


class NobodyCount(models.Model):
    """How often an id of a kind was left out of a customer's events, because it names nobody, and why.

    `examples` are a few of those that can be shown (`core.ids.left_out`).
    """

    pk = models.CompositePrimaryKey("customer_id", "pixel_id", "kind", "why")
    customer_id = models.IntegerField()
    pixel_id = models.IntegerField()
    kind = models.CharField(max_length=40)
    why = models.CharField(max_length=20)
    times = models.BigIntegerField(default=0)
    examples = KeptJSONField(default=list)
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()

    class Meta:
        db_table = "nobody_count"

    def __str__(self) -> str:
        return f"{self.kind} of {self.customer_id}: {self.why}"


class DataStatistics(models.Model):
    """What one customer's data amounts to, and what of it was too much to catalogue.

    `events` of which the catalogue's shares are counted. `left_out` counts the times a path was seen that found no
    room; `left_out_bitmap` is a bitmap of their hashes, by which the number of such paths is estimated.
    """

    customer_id = models.IntegerField(primary_key=True)
    events = models.BigIntegerField(default=0)
    left_out = models.BigIntegerField(default=0)
    left_out_bitmap = models.BinaryField(default=b"")
    left_out_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "data_statistics"

    def __str__(self) -> str:
        return f"data of {self.customer_id}"
