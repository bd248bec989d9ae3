"""The base of models whose every change stands in the audit log, whichever way a row is written through its classes."""

from collections.abc import Iterable
from typing import Any, ClassVar, TypeVar

from django.db import models, transaction

from core.audit import rows as audited_rows
from core.audit.rows import Values

Row_co = TypeVar("Row_co", bound=models.Model, covariant=True)
Owners = dict[Any, int | None]
"""Rows by their keys: whose they are."""


class AuditedQuerySet(models.QuerySet[Row_co]):
    """Bulk writes: each row that they change has an entry. The rows are locked beforehand."""

    def update(self, **values: Any) -> int:
        with transaction.atomic():
            owners = self._locked()
            before = audited_rows.read(self.model, owners)
            changed = super(AuditedQuerySet, self.filter(pk__in=owners)).update(**values) if owners else 0
            after = audited_rows.read(self.model, owners)
            for key, owner in owners.items():
                audited_rows.record(self.model, key, before[key], after[key], customer=owner)
            self._written(owners.values())
        self._result_cache = None  # as Django does: what was read before is not what is stored now
        return changed

    def delete(self) -> tuple[int, dict[str, int]]:
        with transaction.atomic():
            owners = self._locked()
            before = audited_rows.read(self.model, owners)
            deleted = super(AuditedQuerySet, self.filter(pk__in=owners)).delete()
            for key, owner in owners.items():
                audited_rows.record(self.model, key, before[key], None, customer=owner)
            self._written(owners.values())
        self._result_cache = None
        return deleted

    def bulk_create(self, objs: Iterable[Any], *args: Any, **options: Any) -> list[Any]:
        rows = list(objs)
        with transaction.atomic():
            created = super().bulk_create(rows, *args, **options)
            owners = {row.pk: customer_of(row) for row in created if row.pk is not None}
            for key, after in audited_rows.read(self.model, owners).items():
                audited_rows.record(self.model, key, None, after, customer=owners[key])
            self._written({customer_of(row) for row in rows})
        return created

    def _written(self, customers: Iterable[int | None]) -> None:
        """Called in the transaction, after rows of these customers were written."""

    def _locked(self) -> Owners:
        """Lock the rows; returns whose they are."""
        rows = self.select_related(None).order_by("pk").select_for_update(of=("self",)).only("pk")
        keys = [row.pk for row in rows]
        path: str = getattr(self.model, "customer_path", "")
        return dict(self.model._base_manager.filter(pk__in=keys).values_list("pk", path)) if keys else {}


class AuditedManager(models.Manager[Row_co]):
    """Makes every write through a model's manager go through `AuditedQuerySet`."""

    def get_queryset(self) -> AuditedQuerySet[Row_co]:
        return AuditedQuerySet(self.model, using=self._db)


class AuditedModel(models.Model):
    """`customer_path` leads from a row to its customer, as lookups of Django write it. Its `objects` must be an
    `AuditedManager`.

    Columns named in `unaudited_fields` are not in the audit log: what the hub notes beside a row for itself.
    """

    customer_path: ClassVar[str] = "customer_id"
    unaudited_fields: ClassVar[frozenset[str]] = frozenset()

    class Meta:
        abstract = True

    def save(self, *args: Any, **options: Any) -> None:
        with transaction.atomic():
            before = {} if self._state.adding else audited_rows.read(type(self), [self.pk])
            super().save(*args, **options)
            after = audited_rows.read(type(self), [self.pk])
            self._record(before.get(self.pk), after[self.pk])

    def delete(self, *args: Any, **options: Any) -> tuple[int, dict[str, int]]:
        with transaction.atomic():
            self._record(audited_rows.read(type(self), [self.pk]).get(self.pk), None)
            return super().delete(*args, **options)

    def _record(self, before: Values | None, after: Values | None) -> None:
        key, customer = self.pk, customer_of(self)
        audited_rows.record(type(self), key, before, after, customer=customer, name=str(self))


def customer_of(row: Any) -> int | None:
    """Returns the customer whose the row is."""
    found = row
    for name in row.customer_path.split("__"):
        found = getattr(found, name)
    customer: int | None = found
    return customer
