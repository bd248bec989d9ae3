"""What people change in the console, in the audit log. Rows of the configuration note their changes themselves; these
admin classes do it for all others (people, groups), and note whatever else was changed without an entry."""

from typing import Any

from django.db import models
from django.http import HttpRequest

from core import audit
from core.audit import rows as audited_rows
from core.audit.models import AuditedModel


def owner_of(row: models.Model) -> int | None:
    """Return whose the row is; None: it belongs to the whole hub."""
    found: Any = row
    for name in getattr(row, "customer_path", "").split("__"):
        found = getattr(found, name, None) if name else None
    return found if isinstance(found, int) else None


class AuditedAdmin:
    """A part of every admin class: each change that its pages make leaves an entry, in the change's transaction."""

    def _pages(self) -> Any:
        """Django's own methods."""
        return super()

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if isinstance(obj, AuditedModel):
            self._pages().save_model(request, obj, form, change)
            return
        before = audited_rows.read(type(obj), [obj.pk]) if change else {}
        self._pages().save_model(request, obj, form, change)
        after = audited_rows.read(type(obj), [obj.pk])
        audited_rows.record(type(obj), obj.pk, before.get(obj.pk), after[obj.pk], name=str(obj))

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        row = form.instance
        before = _related(row)
        self._pages().save_related(request, form, formsets, change)
        after = _related(row)
        changed = [name for name in after if before[name] != after[name]]
        if changed and not isinstance(row, AuditedModel):
            old, new = ({name: of[name] for name in changed} for of in (before, after))
            audit.record("change", row._meta.db_table, row.pk, str(row), before=old, after=new)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        self._record_deletion(obj)
        self._pages().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        for row in queryset:
            self._record_deletion(row)
        self._pages().delete_queryset(request, queryset)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        if not message:  # saved as it was
            return self._pages().log_change(request, obj, message)
        with audit.at_least("change", obj._meta.db_table, obj.pk, customer=owner_of(obj), in_request=True):
            return self._pages().log_change(request, obj, message)

    def _record_deletion(self, row: Any) -> None:
        if not isinstance(row, AuditedModel):
            before = audited_rows.read(type(row), [row.pk]).get(row.pk)
            audited_rows.record(type(row), row.pk, before, None, name=str(row))


def _related(row: Any) -> dict[str, list[Any]]:
    """Return the keys of the rows that this one names, by field."""
    return {
        field.name: sorted(getattr(row, field.name).values_list("pk", flat=True)) for field in row._meta.many_to_many
    }
