"""Audiences in the console. Every change goes through `audiences.services`."""

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from audiences import history, services
from audiences.models import Audience
from audiences.rules.errors import RuleError
from console.admin.attributes import AttributeAdmin
from console.admin.lookalikes import LookalikeAdmin, allowed, goes_on, is_paused
from console.components import (
    ModelAdmin,
    ServiceForm,
    button,
    confirmed_action,
    label_column,
    never_deleted,
    saved_by_service,
    stored,
)
from console.fields import JsonField
from core.problems import Subject

__all__ = ["AttributeAdmin", "AudienceAdmin", "LookalikeAdmin"]

NOTHING_YET = {"combinator": "and", "rules": []}
KEYS = ("combinator", "not", "field", "operator", "value", "days", "rules")
RULE_HELP = (
    "Whom it describes. As JSON it is react-querybuilder's: groups (combinator “and” or “or”, “not”, rules) of"
    ' conditions such as {"field": "attribute.Country", "operator": "=", "value": "DE"}. Fields: attribute.Country (an'
    " enabled attribute's path), dimension._geo_c, pixel.7.count, pixel.7.first, pixel.7.last (a pixel's id), audience,"
    " platform, split.control (percent). Durations as P30D or PT12H."
)


class AudienceForm(ServiceForm):
    rule = JsonField(rows=18, first=KEYS, help_text=RULE_HELP)

    class Meta:
        model = Audience
        fields = ["customer", "name", "rule", "ttl", "alert_percent"]

    refusals = (services.AudienceInUseError,)
    by = ""

    def change(self, row: Audience) -> Audience:
        if row._state.adding:
            return services.create_audience(
                row.customer, row.name, row.rule, by=self.by, ttl=row.ttl, alert_percent=row.alert_percent
            )
        saved = stored(row)
        if (row.name, row.alert_percent) != (saved.name, saved.alert_percent):
            saved.name, saved.alert_percent = row.name, row.alert_percent
            saved.save(update_fields=["name", "alert_percent", "updated_at"])
        if (row.rule, row.ttl) != (saved.rule, saved.ttl):
            services.change_rule(saved, row.rule, ttl=row.ttl, by=self.by)
        return saved

    def refused(self, error: Exception) -> bool:
        if not isinstance(error, RuleError):
            return super().refused(error)
        self.add_error(
            "rule",
            [f"{fault.path}: {fault.message}" if fault.path else fault.message for fault in error.errors],
        )
        return True


@admin.register(Audience)
class AudienceAdmin(ModelAdmin[Audience]):
    form = AudienceForm
    list_display = ["name", "id", "customer", "state", "size", "moved", "version", "updated_at"]
    list_filter = ["status", "kind", "customer"]
    search_fields = ["name", "id"]
    list_select_related = ["customer"]
    actions_detail = ["explain", "sizes", "versions", "export", "pause", "resume", "remove"]
    add_fieldsets = [(None, {"fields": ["customer", "name", "rule", ("ttl", "alert_percent")]})]
    fieldsets = [
        *add_fieldsets,
        ("Now", {"fields": [("state", "built"), ("size", "version"), "updated_at"]}),
    ]
    readonly_fields = ["state", "built", "size", "version", "updated_at"]
    fixed_fields = ["customer"]
    subject = Subject.AUDIENCE
    save_model = saved_by_service
    has_delete_permission = never_deleted  # a button of its own deletes, since it may be refused

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **options: Any) -> HttpResponse:
        """Lookalikes and static audiences have pages of their own."""
        row = self.get_object(request, object_id)
        if row is not None and row.kind == Audience.Kind.LOOKALIKE:
            return redirect("admin:lookalikes_lookalike_change", object_id)
        if row is not None and row.kind == Audience.Kind.STATIC:
            return redirect("console:static-list", object_id)
        return super().change_view(request, object_id, *args, **options)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"rule": NOTHING_YET, **super().get_changeform_initial_data(request)}

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Read the sizes of a whole page in one query."""
        listed = super().get_changelist_instance(request)
        sizes = services.sizes([row.pk for row in listed.result_list])
        alerts = history.alerts(listed.result_list)
        for row in listed.result_list:
            row.known_size, row.known_alert = sizes.get(row.pk, 0), alerts.get(row.pk)
        return listed

    @label_column(
        "status",
        {
            "building": "info",
            "live": "success",
            "paused": "warning",
            **dict.fromkeys(("refused", "deleting", "broken"), "danger"),
        },
    )
    def state(self, row: Audience) -> str:
        evaluated = row.status in {Audience.Status.BUILDING, Audience.Status.LIVE}
        return "broken" if evaluated and self.problem(row) else row.status

    @admin.display(description="members")
    def size(self, row: Audience) -> str:
        known = getattr(row, "known_size", None)
        return f"{services.size(row) if known is None else known:,}"

    @admin.display(description="built")
    def built(self, row: Audience) -> str:
        return f"{100 * services.progress([row])[row.pk]:.0f} %"

    @label_column("alert", {}, "pk")
    def moved(self, row: Audience) -> str | None:
        """Set only where the size moved too far within a day."""
        alert = getattr(row, "known_alert", None)
        return None if alert is None else f"{alert.before:,} → {alert.now:,}"

    def get_form(self, request: HttpRequest, obj: Audience | None = None, change: bool = False, **options: Any) -> Any:
        """The form knows who fills it in."""
        form: Any = super().get_form(request, obj, change, **options)  # a class of this request's own
        form.by = request.user.get_username()
        return form

    @button("Why a user is in it", "help", permission="profiles.view_profile")
    def explain(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return redirect("console:why", object_id)

    @button("Size", "show_chart")
    def sizes(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return redirect("console:audience-size", object_id)

    @button("Versions", "history")
    def versions(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return redirect("console:audience-versions", object_id)

    @button("Export", "download", permission="profiles.view_profile")
    def export(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return redirect(f"{reverse('console:exports')}?audience={object_id}")

    @confirmed_action("Delete", "Delete this audience? Platforms are told to remove its members first.", "delete")
    def remove(self, request: HttpRequest, audience: Audience) -> HttpResponse:
        with allowed():
            services.begin_deletion(audience, by=request.user.get_username())
        activated = audience.activations.exists()
        if not activated:
            services.delete_audience(audience)
        messages.success(request, f"{audience} is deleted{' as soon as its platforms were told' if activated else ''}.")
        return redirect("admin:audiences_audience_changelist")

    @confirmed_action("Pause", "Freeze this audience? Nobody enters or leaves until it goes on.", "pause", goes_on)
    def pause(self, request: HttpRequest, audience: Audience) -> str:
        with allowed():
            services.pause_audience(audience, by=request.user.get_username())
        return f"{audience} is paused."

    @confirmed_action(
        "Resume", "Let this audience go on? It is built anew from today's profiles.", "play_arrow", is_paused
    )
    def resume(self, request: HttpRequest, audience: Audience) -> str:
        with allowed():
            services.resume_audience(audience, by=request.user.get_username())
        return f"{audience} goes on."
