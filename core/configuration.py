"""The base of all configuration models: whoever changes a row raises the configuration version of its customer.

Edges and workers keep the configuration in memory. They compare one number to know that something changed
(`ConfigurationVersion`), and then one number for each customer to know what (`CustomerVersion`). The numbers are raised
inside the transaction of the change, so nobody can see the one without the other. A statement that bypasses these
classes must call `ConfigurationVersion.raise_` itself.

Rows that requests and platforms name by number (`numbered`) never get a number that another row had before them
(`UsedNumber`): whoever still holds the number of a deleted row must not reach another's.
"""

from collections.abc import Iterable
from typing import Any, ClassVar, TypeVar

from django.core.exceptions import ValidationError
from django.db import connection, models, transaction
from django.db.models import Max

from core.audited_models import AuditedManager, AuditedModel, AuditedQuerySet, customer_of

TAKE_NUMBER = "INSERT INTO used_number (kind, number) VALUES (%s, %s) ON CONFLICT (kind, number) DO NOTHING"

Row_co = TypeVar("Row_co", bound=models.Model, covariant=True)

RAISE = "UPDATE configuration_version SET version = version + 1, named = named + %s WHERE id = 1 RETURNING version"
RAISE_CUSTOMERS = """
INSERT INTO customer_version (customer_id, version) SELECT unnest(%s::int[]), %s
ON CONFLICT (customer_id) DO UPDATE SET version = excluded.version
"""


class ConfigurationVersion(models.Model):
    """One row: how often the configuration has changed, and how many of these changes named their customers.

    A change that does not name them, such as a bare statement that raises `version`, concerns every customer.
    """

    id = models.SmallIntegerField(primary_key=True, default=1)
    version = models.BigIntegerField(default=1)
    named = models.BigIntegerField(default=0, db_default=0)

    class Meta:
        db_table = "configuration_version"

    def __str__(self) -> str:
        return str(self.version)

    @classmethod
    def raise_(cls, customers: Iterable[int | None] = (None,)) -> None:
        """Make every reader load again what belongs to these customers; where None is among them, everything.

        Call it inside the transaction of the change: others that change configuration wait for its end.
        """
        concerned = set(customers)
        if not concerned:
            return
        known = sorted(customer for customer in concerned if customer is not None)
        named = len(known) == len(concerned)
        with connection.cursor() as cursor:
            cursor.execute(RAISE, [int(named)])
            raised = cursor.fetchone()
            if named and raised is not None:
                cursor.execute(RAISE_CUSTOMERS, [known, raised[0]])


class CustomerVersion(models.Model):
    """The configuration version at which something of the customer last changed. Kept when the customer is deleted."""

    customer_id = models.IntegerField(primary_key=True)
    version = models.BigIntegerField(db_index=True)

    class Meta:
        db_table = "customer_version"

    def __str__(self) -> str:
        return f"{self.customer_id}: {self.version}"


class NumberUsedError(ValidationError):
    """The number was given to another row before."""

    def __init__(self, number: int) -> None:
        self.text = f"{number} was used before: a number is never given twice"
        super().__init__(self.text, "unique")


class UsedNumber(models.Model):
    """A number that a row of a configuration table has, or had before it was deleted. `kind`: the name of the table."""

    pk = models.CompositePrimaryKey("kind", "number")
    kind = models.CharField(max_length=30)
    number = models.BigIntegerField()

    class Meta:
        db_table = "used_number"

    def __str__(self) -> str:
        return f"{self.kind} {self.number}"

    @classmethod
    def is_used(cls, model: type[models.Model], number: int) -> bool:
        return cls.objects.filter(kind=model._meta.db_table, number=number).exists()

    @classmethod
    def take(cls, row: models.Model) -> None:
        """Note the number of a row that was just inserted. Raises `NumberUsedError` if another row had it before."""
        with connection.cursor() as cursor:
            cursor.execute(TAKE_NUMBER, [row._meta.db_table, row.pk])
            if not cursor.rowcount:
                raise NumberUsedError(row.pk)


class ConfigurationQuerySet(AuditedQuerySet[Row_co]):
    """Bulk writes raise the versions too: of the customers whose rows they write."""

    def bulk_create(self, objs: Iterable[Any], *args: Any, **options: Any) -> list[Any]:
        with transaction.atomic():
            created = super().bulk_create(objs, *args, **options)
            for row in created if getattr(self.model, "numbered", False) else ():
                UsedNumber.take(row)
        return created

    def _written(self, customers: Iterable[int | None]) -> None:
        ConfigurationVersion.raise_(customers)


class ConfigurationManager(AuditedManager[Row_co]):
    """Makes every write through a model's manager go through `ConfigurationQuerySet`."""

    def get_queryset(self) -> ConfigurationQuerySet[Row_co]:
        return ConfigurationQuerySet(self.model, using=self._db)


class ConfigurationModel(AuditedModel):
    """A small table that edges and workers hold in memory. `numbered`: its numbers are never given twice.

    `unversioned` writes without raising the version, and without an entry in the audit log: only for what nobody holds
    in memory.
    """

    numbered: ClassVar[bool] = False
    objects = ConfigurationManager()
    unversioned: ClassVar[models.Manager[Any]] = models.Manager()

    class Meta:
        abstract = True

    def save(self, *args: Any, **options: Any) -> None:
        with transaction.atomic():
            is_new, chosen = self._state.adding, self.pk is not None
            super().save(*args, **options)
            if is_new and self.numbered:
                UsedNumber.take(self)
                if chosen:
                    keep_ahead(type(self), self.pk)
            ConfigurationVersion.raise_([customer_of(self)])

    def delete(self, *args: Any, **options: Any) -> tuple[int, dict[str, int]]:
        with transaction.atomic():
            customer = customer_of(self)
            deleted = super().delete(*args, **options)
            ConfigurationVersion.raise_([customer])
        return deleted

    def clean(self) -> None:
        """Refuse a chosen number that a deleted row had; forms show it at the field."""
        super().clean()
        if self.numbered and self._state.adding and self.pk is not None and UsedNumber.is_used(type(self), self.pk):
            raise ValidationError({self._meta.pk.name: NumberUsedError(self.pk)})


def keep_ahead(model: type[models.Model], given: int) -> None:
    """Move the sequence of the model's key, if it has one, behind a given number, so that it never hands it out."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_serial_sequence(%s, %s)", [model._meta.db_table, model._meta.pk.name])
        (sequence,) = cursor.fetchone()
        if sequence is None:
            return
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [sequence])
        cursor.execute(
            f"SELECT setval(%s, %s) FROM {sequence} WHERE %s > last_value",
            [sequence, given, given],
        )


def next_after(model: type[models.Model]) -> int:
    """The number after the highest that was ever used, for a key without a sequence.

    One caller at a time gets one, until its transaction ends.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [model._meta.db_table])
    used = UsedNumber.objects.filter(kind=model._meta.db_table).aggregate(highest=Max("number"))["highest"]
    highest = model._default_manager.aggregate(highest=Max("pk"))["highest"]
    return int(max(highest or 0, used or 0)) + 1
