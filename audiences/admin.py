"""Audiences in the console. Every change goes through `audiences.services`."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from audiences import services
from audiences.attribute_admin import AttributeAdmin
from audiences.lookalike_admin import LookalikeAdmin
from audiences.models import Audience
from audiences.rules.faults import RuleError
from edge.console import JsonField, ModelAdmin, TriedFirst, confirmed, labelled, stays

__all__ = ["AttributeAdmin", "AudienceAdmin", "LookalikeAdmin"]

EXAMPLE = {
    "combinator": "and",
    "rules": [
        {"field": "pixel.1.last", "operator": "withinLast", "value": "P30D"},
        {"field": "attribute.Country", "operator": "=", "value": "DE"},
    ],
}
KEYS = ("combinator", "not", "field", "operator", "value", "days", "rules")
RULE_HELP = (
    "Whom it describes, in react-querybuilder's JSON: groups (combinator “and” or “or”, “not”, rules) of conditions."
    " Fields: attribute.Country (an enabled attribute's path), dimension._geo_c, pixel.7.count, pixel.7.first,"
    " pixel.7.last (a pixel's id), audience, platform. Durations as P30D or PT12H."
)


class AudienceForm(TriedFirst):
    rule = JsonField(rows=18, first=KEYS, help_text=RULE_HELP)

    class Meta:
        model = Audience
        fields = ["customer", "name", "rule"]

    def change(self, row: Audience) -> Audience:
        if row._state.adding:
            return services.create_audience(row.customer, row.name, row.rule)
        saved = Audience.objects.get(pk=row.pk)
        if row.name != saved.name:
            saved.name = row.name
            saved.save(update_fields=["name", "updated_at"])
        if row.rule != saved.rule:
            services.change_rule(saved, row.rule)
        return saved

    def refused(self, error: Exception) -> bool:
        if not isinstance(error, RuleError):
            return super().refused(error)
        self.add_error(
            "rule",
            [f"{fault.place}: {fault.message}" if fault.place else fault.message for fault in error.errors],
        )
        return True


@admin.register(Audience)
class AudienceAdmin(ModelAdmin[Audience]):
    form = AudienceForm
    list_display = ["name", "id", "customer", "state", "size", "version", "updated_at"]
    list_filter = ["status", "kind", "customer"]
    search_fields = ["name", "id"]
    list_select_related = ["customer"]
    actions_detail = ["pause", "resume", "remove"]
    readonly_fields = ["state", "size", "version", "updated_at"]
    has_delete_permission = stays  # a button of its own deletes, since it may be refused

    def get_fieldsets(self, request: HttpRequest, obj: Audience | None = None) -> Any:  # noqa: ARG002 (Django's signature)
        described = (None, {"fields": ["customer", "name", "rule"]})
        return [described, ("Now", {"fields": [("state", "size"), ("version", "updated_at")]})] if obj else [described]

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **options: Any) -> HttpResponse:
        """Lookalikes have a page of their own."""
        row = self.get_object(request, object_id)
        if row is not None and row.kind == Audience.Kind.LOOKALIKE:
            return redirect("admin:audiences_lookalike_change", object_id)
        return super().change_view(request, object_id, *args, **options)

    def get_readonly_fields(self, request: HttpRequest, obj: Audience | None = None) -> list[str]:  # noqa: ARG002 (Django's signature)
        return [*self.readonly_fields, "customer"] if obj else self.readonly_fields

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"rule": EXAMPLE, **super().get_changeform_initial_data(request)}

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """The rows of a page know their size: asked for once."""
        listed = super().get_changelist_instance(request)
        sizes = services.sizes([row.pk for row in listed.result_list])
        for row in listed.result_list:
            row.known_size = sizes.get(row.pk, 0)
        return listed

    @labelled("status", {"building": "info", "live": "success", "paused": "warning", "refused": "danger"})
    def state(self, row: Audience) -> str:
        return row.status

    @admin.display(description="members")
    def size(self, row: Audience) -> str:
        known = getattr(row, "known_size", None)
        return f"{services.size(row) if known is None else known:,}"

    def save_model(self, request: HttpRequest, obj: Audience, form: Any, change: bool) -> None:  # noqa: ARG002 (Django's signature)
        obj.pk = form.change(obj).pk
        obj.refresh_from_db()

    @confirmed("Delete", "Delete this audience and forget who was in it?", "delete")
    def remove(self, request: HttpRequest, audience: Audience) -> HttpResponse:
        try:
            services.delete_audience(audience)
        except services.AudienceInUse as error:
            raise ValidationError(str(error)) from None
        messages.success(request, f"{audience} is deleted.")
        return redirect("admin:audiences_audience_changelist")

    @confirmed("Pause", "Freeze this audience? Nobody enters or leaves until it goes on.", "pause")
    def pause(self, request: HttpRequest, audience: Audience) -> str:  # noqa: ARG002 (as every such action)
        services.pause_audience(audience)
        return f"{audience} is paused."

    @confirmed("Resume", "Let this audience go on? It is built anew from today's profiles.", "play_arrow")
    def resume(self, request: HttpRequest, audience: Audience) -> str:  # noqa: ARG002 (as every such action)
        services.resume_audience(audience)
        return f"{audience} goes on."
