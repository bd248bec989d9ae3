"""Who may use the hub: people in the console, machines through the API."""

from typing import TYPE_CHECKING

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest, HttpResponse
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from console.components import (
    ModelAdmin,
    confirmed_action,
    keep_secret,
    label_column,
    never_deleted,
    secret_of,
    shown_once,
)
from core import clock
from core.models import ApiKey

KEY_HINT = "Send it as “Authorization: Bearer <key>”. Only its digest is stored: copy it now."


@admin.register(ApiKey)
class ApiKeyAdmin(ModelAdmin[ApiKey]):
    list_display = ["name", "prefix", "role", "customer", "created_at", "state"]
    list_filter = ["role", "customer"]
    search_fields = ["name", "prefix"]
    list_select_related = ["customer"]
    add_fieldsets = [(None, {"fields": ["name", "role", "customer"]})]
    fieldsets = [(None, {"fields": ["name", "role", "customer", "prefix", "created_at", "revoked_at"]})]
    fixed_fields = ["role", "customer", "prefix", "created_at", "revoked_at"]
    actions_detail = ["revoke"]
    has_delete_permission = never_deleted

    @label_column("status", {"valid": "success", "revoked": "danger"}, "revoked_at")
    def state(self, row: ApiKey) -> str:
        return "revoked" if row.revoked_at else "valid"

    def save_model(self, request: HttpRequest, obj: ApiKey, form: forms.Form, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        row, key = ApiKey.issue(obj.name, obj.role, obj.customer)
        obj.pk = row.pk
        keep_secret(obj, key)
        obj.refresh_from_db()

    def response_add(self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None) -> HttpResponse:
        return shown_once(request, f"The API key “{obj.name}”", secret_of(obj) or "", obj, KEY_HINT)

    @confirmed_action("Revoke", "Refuse this key from now on? This cannot be undone.", "block")
    def revoke(self, request: HttpRequest, key: ApiKey) -> str:
        ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=clock.now())
        return f"{key} is revoked."


if TYPE_CHECKING:  # it takes its model at type-checking time only
    PeopleAdmin = DjangoUserAdmin[User]
else:
    PeopleAdmin = DjangoUserAdmin

admin.site.unregister(User)
admin.site.unregister(Group)


@admin.register(User)
class UserAdmin(PeopleAdmin, ModelAdmin[User]):
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ["username", "first_name", "last_name", "is_staff", "is_superuser", "last_login"]


@admin.register(Group)
class GroupAdmin(ModelAdmin[Group]):
    search_fields = ["name"]
    filter_horizontal = ["permissions"]
