"""Customers in the console."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import Count, OuterRef, QuerySet, Subquery, Sum
from django.http import HttpRequest

from audiences.services import follow_time_zone
from console.access import scope_of
from console.components import ModelAdmin, never_deleted
from console.fields import time_zone_choice
from core.models import Customer
from profiles.models import CustomerExcess


@admin.register(Customer)
class CustomerAdmin(ModelAdmin[Customer]):
    list_display = ["name", "m", "pixel_count", "audience_count", "excess", "created_at"]
    search_fields = ["name", "m"]
    fieldsets = [
        (None, {"fields": ["m", "name", "time_zone"]}),
        ("Privacy", {"fields": ["consent", "personal_data"]}),
        ("Ids", {"fields": ["nobody_words", "phone_region"]}),
        ("How long things are kept", {"fields": ["keep_users_days", "keep_activity_days", "keep_logs_days"]}),
        ("What the customer may use", {"fields": ["limits"]}),
    ]
    fixed_fields = ["m"]
    has_delete_permission = never_deleted

    def get_readonly_fields(self, request: HttpRequest, obj: Customer | None = None) -> Any:
        """Nobody sets their own quotas: they are for who sees every customer, as in the API."""
        fixed = super().get_readonly_fields(request, obj)
        return fixed if scope_of(request).customers is None else [*fixed, "limits"]

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **options: Any) -> Any:
        chosen = {"widget": time_zone_choice()} if db_field.name == "time_zone" else {}
        return super().formfield_for_dbfield(db_field, request, **{**options, **chosen})

    def save_model(self, request: HttpRequest, obj: Customer, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if change and "time_zone" in form.changed_data:
            followed = follow_time_zone(obj.pk, by=request.user.get_username())
            if followed:
                messages.info(request, f"Evaluated again in the new time zone: {', '.join(followed)}.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Customer]:
        rows = super().get_queryset(request)
        excess = scope_of(request).of(CustomerExcess).filter(customer_id=OuterRef("pk")).values("customer_id")
        return rows.annotate(
            pixel_n=Count("pixels", distinct=True),
            audience_n=Count("audiences", distinct=True),
            excess_n=Subquery(excess.annotate(n=Sum("attributes")).values("n")),
        )

    @admin.display(description="pixels", ordering="pixel_n")
    def pixel_count(self, row: Any) -> int:
        return int(row.pixel_n)

    @admin.display(description="attributes without room", ordering="excess_n")
    def excess(self, row: Any) -> int:
        return int(row.excess_n or 0)

    @admin.display(description="audiences", ordering="audience_n")
    def audience_count(self, row: Any) -> int:
        return int(row.audience_n)
