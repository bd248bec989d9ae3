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

from core.audit.models import AuditedManager, AuditedModel, AuditedQuerySet, customer_of

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


MOST_CHOSEN = 1_000_000_000
"""The highest number that somebody may choose: of customers, the hub counts on behind the highest."""


class NumberUsedError(ValidationError):
    """The number is, or was, another row's. Nobody is told which of the two, or whose."""

    def __init__(self, number: int) -> None:
        self.text = f"{number} is not to be had: a number is never given twice"
        super().__init__(self.text, "unique")


class NumberTooHighError(ValidationError):
    """The number was chosen from those that the hub keeps for itself."""

    def __init__(self) -> None:
        super().__init__(f"A number that is chosen may be {MOST_CHOSEN} at most.", "max_value")


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
        """Whether a row has the number, or had it."""
        if model._base_manager.filter(pk=number).exists():
            return True
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
        rows, numbered = list(objs), getattr(self.model, "numbered", False)
        with transaction.atomic():
            for row in rows if numbered else ():
                row.pk = next_number(self.model) if row.pk is None else row.pk
            created = super().bulk_create(rows, *args, **options)
            for row in created if numbered else ():
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
            is_new = self._state.adding and self.numbered
            if is_new and self.pk is None:
                self.pk = next_number(type(self))
                options["force_insert"] = True
            super().save(*args, **options)
            if is_new:
                UsedNumber.take(self)
            ConfigurationVersion.raise_([customer_of(self)])

    def delete(self, *args: Any, **options: Any) -> tuple[int, dict[str, int]]:
        with transaction.atomic():
            customer = customer_of(self)
            deleted = super().delete(*args, **options)
            ConfigurationVersion.raise_([customer])
        return deleted

    def clean(self) -> None:
        """Refuse a chosen number that another row has or had, or that is too high; forms show it at the field."""
        super().clean()
        if not self.numbered or not self._state.adding or self.pk is None:
            return
        if self.pk > MOST_CHOSEN:
            raise ValidationError({self._meta.pk.name: NumberTooHighError()})
        if UsedNumber.is_used(type(self), self.pk):
            raise ValidationError({self._meta.pk.name: NumberUsedError(self.pk)})


def is_taken(model: type[models.Model], named: dict[str, Any], but: Any) -> bool:
    """Whether another row than `but` (a primary key) has these values. To be asked of one customer's values only."""
    return model._default_manager.filter(**named).exclude(pk=but).exists()


def next_number(model: type[models.Model]) -> int:
    """Take the next number of the model's sequence that no row has or had: others may have been chosen by callers.

    What callers choose moves no sequence, so nobody can bring it to its end.
    """
    with connection.cursor() as cursor:
        while True:
            cursor.execute(
                "SELECT nextval(pg_get_serial_sequence(%s, %s))", [model._meta.db_table, model._meta.pk.name]
            )
            (number,) = cursor.fetchone()
            if not UsedNumber.is_used(model, number):
                return int(number)


def next_after(model: type[models.Model]) -> int:
    """The number after the highest that was ever used, for a key without a sequence.

    One caller at a time gets one, until its transaction ends.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [model._meta.db_table])
    used = UsedNumber.objects.filter(kind=model._meta.db_table).aggregate(highest=Max("number"))["highest"]
    highest = model._default_manager.aggregate(highest=Max("pk"))["highest"]
    return int(max(highest or 0, used or 0)) + 1
