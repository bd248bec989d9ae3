"""Platforms in the console."""

from typing import Any
from urllib.parse import quote

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from activation import platform_status
from console.components import (
    ModelAdmin,
    ModelForm,
    admin_address,
    button,
    confirmed_action,
    confirmed_request,
    keep_secret,
    never_deleted,
    row_of,
    secret_of,
    shown_once,
)
from console.fields import JsonField
from console.platform_preview import check, check_rows, preview
from core.problems import Subject, words_of
from integrations import services
from integrations.connectors.files import FileConnector
from integrations.connectors.registry import all_connectors
from integrations.limits import check as check_limits
from integrations.models import Platform
from integrations.previews import file_content, sample_file
from integrations.services import replace_sync_secrets, rotate_sync_secret
from integrations.validation import check_connector, check_sync_secret, check_sync_template

KEEP = "Written, never shown again. Leave it empty to keep what is stored."
FORMS = ("add", "<path:object_id>/change")
SECRET_HINT = "Give it to the platform: its syncs carry it, or are signed with it."


def connector_choices() -> list[tuple[str, str]]:
    found = sorted(all_connectors().items(), key=lambda item: item[1].title)
    return [(key, f"{connector.title} ({key})") for key, connector in found]


class PlatformForm(ModelForm[Platform]):
    connector = forms.ChoiceField(
        choices=connector_choices,
        widget=UnfoldAdminSelectWidget,
        help_text="How audiences are delivered to it.",
    )
    settings = JsonField(required=False, help_text="What the connector needs to know, as JSON.")
    new_credentials = JsonField(required=False, rows=4, label="Credentials", help_text=KEEP)
    new_secret = forms.CharField(
        required=False,
        label="Sync secret",
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
        validators=[check_sync_secret],
        help_text="One is generated and shown once where you give none. " + KEEP,
    )
    limits = JsonField(
        required=False,
        rows=4,
        help_text="Any of per_second, concurrent, per_day, files_per_hour, bytes_per_day. Empty: the connector's own.",
    )

    class Meta:
        model = Platform
        fields = [
            *("customer", "name", "connector", "enabled", "sync_template", "sync_tag", "sync_interval_days"),
            "sync_auth",
        ]

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        settings, limits = given.get("settings") or {}, given.get("limits") or {}
        given |= {"settings": settings, "limits": limits}
        credentials = given.get("new_credentials") or self.instance.credentials
        self._check("settings", settings, lambda: None)
        self._check("limits", limits, lambda: check_limits(limits))
        self._check(
            "sync_template", {}, lambda: check_sync_template(given.get("sync_template", ""), given.get("sync_auth", ""))
        )
        if "connector" in given and not {"settings", "new_credentials"} & self.errors.keys():
            self._check("credentials", credentials, lambda: check_connector(given["connector"], settings, credentials))
        return given

    def _check(self, name: str, value: Any, check: Any) -> None:
        if not isinstance(value, dict):
            self.add_error(_field(name), "This must be a JSON object.")
            return
        try:
            check()
        except ValidationError as error:
            for place, faults in error.message_dict.items():
                head, _, rest = place.partition(".")
                self.add_error(_field(head), [f"{rest}: {fault}" if rest else fault for fault in faults])


def _field(name: str) -> str | None:
    if name == "credentials":
        return "new_credentials"
    return name if name in {"settings", "limits", "connector", "sync_template"} else None


@admin.register(Platform)
class PlatformAdmin(ModelAdmin[Platform]):
    form = PlatformForm
    list_display = ["name", "pl", "customer", "connector", "sync_auth", "enabled", "created_at"]
    list_filter = ["connector", "enabled", "customer"]
    search_fields = ["name", "pl"]
    list_select_related = ["customer"]
    actions_detail = ["match_rate", "try_credentials", "rotate_secret", "sample_file"]
    fixed_fields = ["customer"]
    subject = Subject.PLATFORM
    change_form_after_template = "console/platform_form.html"
    has_delete_permission = never_deleted  # audiences may ask about it: disable it here, or delete it by the API
    fieldsets = [
        (None, {"fields": ["customer", "name", "enabled"]}),
        ("Delivery", {"fields": ["connector", "settings", "new_credentials", "limits"]}),
        ("User sync", {"fields": ["sync_template", "sync_tag", "sync_interval_days", "sync_auth", "new_secret"]}),
    ]

    def get_urls(self) -> list[Any]:
        views = {"preview": self.admin_site.admin_view(preview), "check": self.admin_site.admin_view(check)}
        ours = [path(f"{form}/{name}/", view) for name, view in views.items() for form in FORMS]
        return [*ours, *super().get_urls()]

    def save_model(self, request: HttpRequest, obj: Platform, form: Any, change: bool) -> None:
        given = form.cleaned_data
        obj.settings, obj.limits = given["settings"], given["limits"]
        if given["new_credentials"]:
            obj.credentials = given["new_credentials"]
        keep_secret(obj, _settle_secret(obj, given["new_secret"], form.changed_data, change=change))
        super().save_model(request, obj, form, change)

    def response_add(self, request: HttpRequest, obj: Platform, post_url_continue: str | None = None) -> HttpResponse:
        return _shown(request, obj) or super().response_add(request, obj, post_url_continue)

    def response_change(self, request: HttpRequest, obj: Platform) -> HttpResponse:
        return _shown(request, obj) or super().response_change(request, obj)

    @button("Match rate", "percent")
    def match_rate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return redirect(f"{reverse('console:match-rate')}?platform={quote(object_id)}")

    @confirmed_request("Check credentials", "Ask the platform whether it accepts the stored credentials?", "task_alt")
    def try_credentials(self, request: HttpRequest, platform: Platform) -> str:
        found = services.check(platform, platform_status.host_keys(platform.pk))
        told = "; ".join(f"{name}: {value}" for name, value in check_rows(found))
        if not found["ok"]:
            raise ValidationError(told)
        return f"The platform accepts them. {told}" if found["asked"] else told

    @button("Sample file", "download")
    def sample_file(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """For platforms that take files: download one with two made-up members, as it would be uploaded."""
        platform = row_of(self, request, object_id, "view")
        try:
            connector = services.connector_of(platform)
        except ValidationError as broken:
            messages.error(request, words_of(broken))
            return redirect(admin_address(platform))
        if not isinstance(connector, FileConnector):
            messages.error(request, "This platform takes requests, not files.")
            return redirect(admin_address(platform))
        name, text = sample_file(connector)
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return HttpResponse(file_content(name, text), content_type="application/octet-stream", headers=headers)

    @confirmed_action(
        "New sync secret",
        "Make a new sync secret? The present one stays valid until the next change, so that the platform can follow.",
        "key",
    )
    def rotate_secret(self, request: HttpRequest, platform: Platform) -> HttpResponse:
        secret = rotate_sync_secret(platform)
        platform.save(update_fields=["sync_secrets"])
        return shown_once(request, f"The new sync secret of {platform.name}", secret, platform, SECRET_HINT)


def _settle_secret(platform: Platform, given: str, changed: list[str], *, change: bool) -> str | None:
    """Apply what the form says about the secret. Returns the secret where one was generated."""
    if not change:
        platform.sync_secrets = [given] if given else platform.sync_secrets
        return None if given else str(platform.sync_secrets[0])
    if "sync_auth" in changed:
        secret = replace_sync_secrets(platform, given or None)
        return None if given else secret
    if given:
        rotate_sync_secret(platform, given)
    return None


def _shown(request: HttpRequest, platform: Platform) -> HttpResponse | None:
    secret = secret_of(platform)
    if secret is None:
        return None
    return shown_once(request, f"The sync secret of {platform.name}", secret, platform, SECRET_HINT)
