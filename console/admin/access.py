"""Who may use the hub: people in the console, machines through the API."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import axes.utils
from allauth.mfa.models import Authenticator
from django import forms
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import User
from django.contrib.postgres.forms import SimpleArrayField
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html_join
from django.utils.safestring import mark_safe
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminTextInputWidget

from console.admin.last_admin import AdminRemains
from console.cells import when
from console.components import (
    ModelAdmin,
    ModelForm,
    confirmed_action,
    keep_secret,
    label_column,
    never_deleted,
    secret_of,
    shown_once,
)
from console.password_reset import VALID_HOURS, link_for
from core import clock
from core.client_address import LONGEST_NETWORK
from core.key_changes import revoke, rotate
from core.models import ApiKey, check_network
from core.people.models import end_sessions

OVERLAP = timedelta(days=1)
WHAT_COUNTS = (
    "Staff may enter the console; what they see there is said on the page “People”. A superuser is an admin of every"
    " customer."
)
KEY_HINT = "Send it as “Authorization: Bearer <key>”. Only its digest is stored: copy it now."


def is_usable(key: ApiKey) -> bool:
    return key.revoked_at is None


class ApiKeyForm(ModelForm[ApiKey]):
    allowed_addresses = SimpleArrayField(
        forms.CharField(max_length=LONGEST_NETWORK, validators=[check_network]),
        required=False,
        max_length=100,
        widget=UnfoldAdminTextInputWidget,
        help_text="Addresses and ranges (CIDR), by commas. Empty: from everywhere.",
    )

    class Meta:
        model = ApiKey
        fields = ["name", "role", "customer", "expires_at", "allowed_addresses"]

    def clean_expires_at(self) -> datetime | None:
        moment: datetime | None = self.cleaned_data["expires_at"]
        if moment is not None and moment <= clock.now() and "expires_at" in self.changed_data:
            raise ValidationError("This must be in the future. To end a key now, revoke it.")
        return moment


@admin.register(ApiKey)
class ApiKeyAdmin(AdminRemains, ModelAdmin[ApiKey]):
    form = ApiKeyForm
    list_display = ["name", "prefix", "role", "customer", "expires_at", "last_use", "state"]
    list_filter = ["role", "customer"]
    search_fields = ["name", "prefix"]
    list_select_related = ["customer"]
    add_fieldsets = [(None, {"fields": ["name", "role", "customer", "expires_at", "allowed_addresses"]})]
    fieldsets = [
        *add_fieldsets,
        ("Use", {"fields": ["prefix", "created_at", "revoked_at", "previous_until", "last_uses"]}),
    ]
    fixed_fields = ["role", "customer", "prefix", "created_at", "revoked_at", "previous_until", "last_uses"]
    actions_detail = ["rotate", "revoke"]
    has_delete_permission = never_deleted

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiKey]:
        return super().get_queryset(request).prefetch_related("uses")

    @label_column("status", {"valid": "success", "expired": "warning", "revoked": "danger"}, "revoked_at")
    def state(self, row: ApiKey) -> str:
        return row.state(clock.now())

    @admin.display(description="last used")
    def last_use(self, row: ApiKey) -> datetime | None:
        return max((use.used_at for use in row.uses.all()), default=None)

    @admin.display(description="last used, by address")
    def last_uses(self, row: ApiKey) -> str:
        uses = sorted(row.uses.all(), key=lambda use: use.used_at, reverse=True)
        return format_html_join(mark_safe("<br>"), "{} {}", [(when(use.used_at), use.address) for use in uses])

    def save_model(self, request: HttpRequest, obj: ApiKey, form: forms.Form, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        limits = {"expires_at": obj.expires_at, "allowed_addresses": obj.allowed_addresses}
        row, key = ApiKey.issue(obj.name, obj.role, obj.customer, **limits)
        obj.pk = row.pk
        keep_secret(obj, key)
        obj.refresh_from_db()

    def response_add(self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None) -> HttpResponse:
        return shown_once(request, f"The API key “{obj.name}”", secret_of(obj) or "", obj, KEY_HINT)

    @confirmed_action("Rotate", "Make a new secret? The present one stays valid for a day.", "autorenew", is_usable)
    def rotate(self, request: HttpRequest, key: ApiKey) -> HttpResponse:
        secret = rotate(key, OVERLAP)
        return shown_once(request, f"The new secret of {key.name}", secret, key, KEY_HINT)

    @confirmed_action("Revoke", "Refuse this key from now on? This cannot be undone.", "block", is_usable)
    def revoke(self, request: HttpRequest, key: ApiKey) -> str:
        revoke(key)
        return f"{key} is revoked."


if TYPE_CHECKING:  # it takes its model at type-checking time only
    PeopleAdmin = DjangoUserAdmin[User]
else:
    PeopleAdmin = DjangoUserAdmin

admin.site.unregister(User)
# groups and permissions count for nothing here, and log-ins have pages of their own
for library in ("auth", "account", "mfa", "socialaccount"):
    for model in apps.get_app_config(library).get_models():
        if admin.site.is_registered(model):
            admin.site.unregister(model)


@admin.register(User)
class UserAdmin(AdminRemains, PeopleAdmin, ModelAdmin[User]):
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    is_scoped = False
    list_display = ["username", "first_name", "last_name", "is_staff", "is_superuser", "last_login"]
    list_filter = ["is_staff", "is_superuser", "is_active"]
    fieldsets = [
        (None, {"fields": ["username", "password"]}),
        ("Who it is", {"fields": ["first_name", "last_name", "email"]}),
        ("What it may", {"fields": ["is_active", "is_staff", "is_superuser"], "description": WHAT_COUNTS}),
        ("When", {"fields": ["last_login", "date_joined"]}),
    ]
    filter_horizontal = []
    actions_detail = ["end_log_ins", "unlock", "new_password_link", "forget_second_factors"]

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        return self.add_fieldsets if obj is None else self.fieldsets

    @confirmed_action("End log-ins", "End every log-in of this person?", "logout")
    def end_log_ins(self, request: HttpRequest, user: User) -> str:
        end_sessions(user.pk)
        return f"{user} is logged out everywhere."

    @confirmed_action("Unlock", "Forget the wrong passwords that were given for this person?", "lock_open")
    def unlock(self, request: HttpRequest, user: User) -> str:
        axes.utils.reset(username=user.get_username())
        return f"{user} may log in again."

    @confirmed_action("New password link", "Make a link by which this person chooses a new password?", "link")
    def new_password_link(self, request: HttpRequest, user: User) -> HttpResponse:
        hint = f"It serves once, for {VALID_HOURS} hours. Give it to this person only."
        return shown_once(request, f"A new password for {user}", link_for(request, user), user, hint)

    @confirmed_action(
        "Forget second factors",
        "Forget the authenticator app and the passkeys that this person has lost?",
        "key_off",
    )
    def forget_second_factors(self, request: HttpRequest, user: User) -> str:
        Authenticator.objects.filter(user=user).delete()
        return f"{user} logs in by password alone, until they add a second factor."
