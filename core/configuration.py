"""The base of all configuration models: whoever changes a row raises the hub's configuration version.

Edges and workers keep the configuration in memory and compare one number to know that it is stale
(`ConfigurationVersion`). The number is raised inside the transaction of the change, so nobody can see the one without
the other. A statement that bypasses these classes must call `ConfigurationVersion.raise_` itself.
"""

from collections.abc import Iterable
from typing import Any, TypeVar

from django.db import models, transaction
from django.db.models import F

Row_co = TypeVar("Row_co", bound=models.Model, covariant=True)


class ConfigurationVersion(models.Model):
    """One row: how often the configuration has changed."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    version = models.BigIntegerField(default=1)

    class Meta:
        db_table = "configuration_version"

    def __str__(self) -> str:
        return str(self.version)

    @classmethod
    def raise_(cls) -> None:
        """Make every reader load the configuration again. Call it inside the transaction of the change."""
        cls.objects.filter(id=1).update(version=F("version") + 1)


class ConfigurationQuerySet(models.QuerySet[Row_co]):
    """Bulk writes raise the version too."""

    def update(self, **values: Any) -> int:
        with transaction.atomic():
            changed = super().update(**values)
            ConfigurationVersion.raise_()
        return changed

    def delete(self) -> tuple[int, dict[str, int]]:
        with transaction.atomic():
            deleted = super().delete()
            ConfigurationVersion.raise_()
        return deleted

    def bulk_create(self, objs: Iterable[Any], *args: Any, **options: Any) -> list[Any]:
        with transaction.atomic():
            created = super().bulk_create(objs, *args, **options)
            ConfigurationVersion.raise_()
        return created


class ConfigurationManager(models.Manager[Row_co]):
    """Makes every write through a model's manager go through `ConfigurationQuerySet`."""

    def get_queryset(self) -> ConfigurationQuerySet[Row_co]:
        return ConfigurationQuerySet(self.model, using=self._db)


class ConfigurationModel(models.Model):
    """A small table that edges and workers hold in memory."""

    objects = ConfigurationManager()

    class Meta:
        abstract = True

    def save(self, *args: Any, **options: Any) -> None:
        with transaction.atomic():
            super().save(*args, **options)
            ConfigurationVersion.raise_()

    def delete(self, *args: Any, **options: Any) -> tuple[int, dict[str, int]]:
        with transaction.atomic():
            deleted = super().delete(*args, **options)
            ConfigurationVersion.raise_()
        return deleted
