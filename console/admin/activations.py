"""Activations in the console. Every change goes through `activation.services`."""

import json
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import F, QuerySet, Value
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminTextInputWidget

from activation import services
from activation.models import Activation
from activation.platform_status import problem_of
from console.access import sees_persons
from console.cells import note_health, shown_health
from console.components import (
    ModelAdmin,
    ServiceForm,
    admin_address,
    button,
    confirmed_action,
    label_column,
    never_deleted,
    page,
    row_of,
    saved_by_service,
)
from console.fields import JsonField
from pipeline.health import reading

PERSONS = "profiles.view_profile"  # a request names people
STATES = {"pending": "info", "live": "success", "paused": "warning", "broken": "danger", "ending": "info"}
READ_ONLY = [
    *("health", "state", "counts", "progress", "segment_id", "given_settings", "error", "possible_orphan"),
    "created_at",
]
SETTINGS_HELP = (
    'What the connector asks of each activation, as JSON; often nothing. For example {"segment_id": 4711} to use a'
    " segment that exists."
)


class ActivationForm(ServiceForm):
    settings = JsonField(required=False, rows=5, help_text=SETTINGS_HELP)

    class Meta:
        model = Activation
        fields = ["audience", "platform", "name", "settings"]

    def clean_settings(self) -> Any:
        value = self.cleaned_data["settings"] or {}
        if not isinstance(value, dict):
            raise ValidationError("This must be a JSON object.")
        return value

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        audience, platform = given.get("audience"), given.get("platform")
        if audience and platform and audience.customer_id != platform.customer_id:
            self.add_error("platform", "This platform belongs to another customer than the audience.")
        return given

    def change(self, row: Activation) -> Activation:
        return services.activate(row.audience, row.platform, row.settings, row.name)


class TrialForm(forms.Form):
    platform_user_id = forms.CharField(max_length=256, label="The platform's id", widget=UnfoldAdminTextInputWidget)


def _goes_on(row: Activation) -> bool:
    return row.status in (Activation.Status.PENDING, Activation.Status.LIVE)


def _problem(row: Any) -> str:
    """Why nothing is sent; looked up once for a row that is shown."""
    if not hasattr(row, "known_problem"):
        row.known_problem = problem_of(row)
    return str(row.known_problem)


def _stands_still(row: Activation) -> bool:
    return row.status in (Activation.Status.PAUSED, Activation.Status.BROKEN)


@admin.register(Activation)
class ActivationAdmin(ModelAdmin[Activation]):
    form = ActivationForm
    list_display = ["audience", "platform", "name", "health", "wanted", "acknowledged", "segment_id"]
    list_display_links = ["audience"]
    list_filter = ["status", "platform", "audience__customer"]
    search_fields = ["audience__name", "platform__name", "segment_id"]
    list_select_related = ["audience", "platform"]
    actions_detail = ["preview", "test", "pause", "resume", "resync", "end"]
    add_fieldsets = [(None, {"fields": ["audience", "platform", "name", "settings"]})]
    fieldsets = [(None, {"fields": ["audience", "platform", "name", *READ_ONLY]})]
    readonly_fields = READ_ONLY
    fixed_fields = ["audience", "platform", "name"]
    has_delete_permission = never_deleted

    def get_queryset(self, request: HttpRequest) -> QuerySet[Activation]:
        """The last error may quote what the platform was sent."""
        shown = F("last_error") if sees_persons(request) else Value("")
        return super().get_queryset(request).annotate(shown_error=shown)

    def get_form(
        self, request: HttpRequest, obj: Activation | None = None, change: bool = False, **options: Any
    ) -> Any:
        """An activation that exists has no form fields: its buttons change it."""
        if obj is not None:
            options["form"] = forms.ModelForm
        return super().get_form(request, obj, change, **options)

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        listed = super().get_changelist_instance(request)
        counts = services.counts_of(listed.result_list)
        for row in listed.result_list:
            row.known_counts = counts[row.pk]
        note_health(request, listed.result_list, lambda rows: reading.of_activations(rows, counts))
        return listed

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        nothing = dict.fromkeys(("show_save", "show_save_and_continue", "show_save_and_add_another"), False)
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **nothing})

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, obj: Activation | None = None, **options: Any
    ) -> Any:
        if obj is not None:
            note_health(request, [obj], reading.of_activations)
        return super().render_change_form(request, context, *args, obj=obj, **options)

    @admin.display(description="how it is doing")
    def health(self, row: Any) -> str:
        return shown_health(row)

    @label_column("status", STATES)
    def state(self, row: Activation) -> str:
        return Activation.Status.BROKEN if _goes_on(row) and _problem(row) else row.status

    @admin.display(description="last error")
    def error(self, row: Any) -> str:
        return row.shown_error or _problem(row)

    @admin.display
    def wanted(self, row: Any) -> str:
        return f"{row.known_counts['wanted']:,}"

    @admin.display
    def acknowledged(self, row: Any) -> str:
        return f"{row.known_counts['acknowledged']:,}"

    @admin.display
    def counts(self, row: Activation) -> str:
        return " · ".join(f"{name.replace('_', ' ')} {number:,}" for name, number in services.counts(row).items())

    @admin.display(description="looked through at activation")
    def progress(self, row: Activation) -> str:
        return f"{services.backfill_percent(row.id)} % of the users"

    @admin.display(description="settings")
    def given_settings(self, row: Activation) -> SafeString:
        return format_html('<pre class="hub-code">{}</pre>', json.dumps(row.settings, indent=2, ensure_ascii=False))

    def save_model(self, request: HttpRequest, obj: Activation, form: Any, change: bool) -> None:
        if not change:
            saved_by_service(self, request, obj, form, change)

    @button("Preview", "visibility", permission=PERSONS)
    def preview(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show the exact requests that the next batch would send. Sends nothing."""
        row = row_of(self, request, object_id, PERSONS)
        texts = _texts(services.preview(row))
        return page(request, "preview.html", f"Next requests of {row}", texts=texts, back=admin_address(row))

    @button("Test", "science", permission="change")
    def test(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Send one id now, and show what the platform says."""
        row = row_of(self, request, object_id, "change")
        form, texts = TrialForm(request.POST or None), list[str]()
        if form.is_valid():
            try:
                texts = _texts(services.test(row, form.cleaned_data["platform_user_id"]))
                services.note(row, "test")
            except ValidationError as refusal:
                form.add_error("platform_user_id", refusal)
        return page(request, "trial.html", f"Test of {row}", form=form, texts=texts, back=admin_address(row))

    @confirmed_action(
        "Pause", "Send nothing more of this activation? What changes meanwhile is remembered.", "pause", _goes_on
    )
    def pause(self, request: HttpRequest, activation: Activation) -> str:
        services.pause(activation)
        return f"{activation} is paused."

    @confirmed_action("Resume", "Go on with today's members?", "play_arrow", _stands_still)
    def resume(self, request: HttpRequest, activation: Activation) -> str:
        services.resume(activation)
        return f"{activation} goes on."

    @confirmed_action("Send all again", "Send every member again? For a platform that has lost some.", "sync")
    def resync(self, request: HttpRequest, activation: Activation) -> str:
        services.resync(activation)
        return f"Every member of {activation} is sent again."

    @confirmed_action("End", "Have the platform remove every member, and delete this activation then?", "delete")
    def end(self, request: HttpRequest, activation: Activation) -> str:
        services.deactivate(activation)
        return f"{activation} is ending: it goes when the platform was told of everybody."


def _texts(requests: list[dict[str, Any]]) -> list[str]:
    return [json.dumps(one, indent=2, ensure_ascii=False, default=str) for one in requests]
