"""Attributes in the console: what the data holds, and which of it audiences may use."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest

from audiences.attributes import AttributeInUseError, set_attribute
from console.access import scope_of, sees_persons
from console.components import ModelAdmin, ServiceForm, never_deleted, saved_by_service, stored
from core.problems import Subject
from profiles.models import Attribute, AttributeStatistics, DataStatistics


class AttributeForm(ServiceForm):
    refusals = (AttributeInUseError,)

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Offer `number` where whole numbers were seen, as that is what they become unless somebody chooses."""
        super().__init__(*arguments, **options)
        if self.instance.type == Attribute.Type.INTEGER and not self.instance.fixed:
            self.initial["type"] = Attribute.Type.NUMBER

    def change(self, row: Attribute) -> Attribute:
        kind, enabled, personal, sensitive = row.type, row.enabled, row.personal, row.sensitive
        if row._state.adding:
            row.type, row.enabled, row.personal, row.sensitive = Attribute.Type.MIXED, False, False, False
            row.save()
        else:
            row.save(update_fields=["name"])
        saved = stored(row)
        set_attribute(
            saved,
            enabled=enabled if enabled != saved.enabled else None,
            type_=kind if "type" in self.changed_data else None,
            personal=personal if personal != saved.personal else None,
            sensitive=sensitive if sensitive != saved.sensitive else None,
        )
        return saved


@admin.register(Attribute)
class AttributeAdmin(ModelAdmin[Attribute]):
    form = AttributeForm
    list_display = ["path", "name", "customer", "type", "enabled", "share", "last_seen", "examples"]
    list_filter = ["enabled", "type", "personal", "sensitive", "customer"]
    search_fields = ["path", "name"]
    list_select_related = ["customer"]
    actions = ["enable", "disable"]
    fieldsets = [
        (
            None,
            {
                "fields": ["customer", "path", "name", "type", "enabled", "personal", "sensitive"],
                "description": "Attributes are found in the data by themselves. Fix the type and enable one"
                " to use it in audiences.",
            },
        )
    ]
    fixed_fields = ["customer", "path"]
    subject = Subject.ATTRIBUTE
    has_delete_permission = never_deleted
    save_model = saved_by_service

    def get_queryset(self, request: HttpRequest) -> QuerySet[Attribute]:
        scope = scope_of(request)
        seen = scope.of(AttributeStatistics).filter(attribute_id=OuterRef("pk"))
        return (
            super()
            .get_queryset(request)
            .annotate(
                seen_at=Subquery(seen.values("last_seen")),
                seen_as=Subquery(seen.values("examples")),
                seen_in=Subquery(seen.values("events")),
                seen_of=Subquery(scope.of(DataStatistics).filter(customer_id=OuterRef("customer_id")).values("events")),
            )
        )

    def get_list_display(self, request: HttpRequest) -> Any:
        """The examples are personal data."""
        columns = super().get_list_display(request)
        return columns if sees_persons(request) else [column for column in columns if column != "examples"]

    @admin.display(description="last seen", ordering="seen_at")
    def last_seen(self, row: Any) -> Any:
        return row.seen_at

    @admin.display(ordering="seen_in")
    def share(self, row: Any) -> str:
        return f"{row.seen_in / row.seen_of:.1%}" if row.seen_in and row.seen_of else ""

    @admin.display
    def examples(self, row: Any) -> str:
        return ", ".join(str(example)[:40] for example in (row.seen_as or [])[:3])

    @admin.action(description="Enable for audiences", permissions=["change"])
    def enable(self, request: HttpRequest, rows: QuerySet[Attribute]) -> None:
        self._set(request, rows, enabled=True)

    @admin.action(description="Disable", permissions=["change"])
    def disable(self, request: HttpRequest, rows: QuerySet[Attribute]) -> None:
        self._set(request, rows, enabled=False)

    def _set(self, request: HttpRequest, rows: QuerySet[Attribute], *, enabled: bool) -> None:
        for row in rows:
            try:
                with transaction.atomic():
                    set_attribute(stored(row), enabled=enabled)
            except (AttributeInUseError, ValidationError) as error:
                messages.error(request, f"{row}: {error}")
