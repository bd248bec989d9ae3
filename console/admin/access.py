"""Who may use the hub: people in the console, machines through the API."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest, HttpResponse
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from console.components import ModelAdmin, confirmed, labelled, shown_once, stays
from core import clock
from core.models import ApiKey

KEY_HINT = "Send it as “Authorization: Bearer <key>”. Only its digest is stored: copy it now."


@admin.register(ApiKey)
class ApiKeyAdmin(ModelAdmin[ApiKey]):
    list_display = ["name", "prefix", "role", "customer", "created_at", "state"]
    list_filter = ["role", "customer"]
    search_fields = ["name", "prefix"]
    list_select_related = ["customer"]
    fields = ["name", "role", "customer"]
    actions_detail = ["revoke"]
    has_delete_permission = stays

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> Any:
        return [*self.fields, "prefix", "created_at", "revoked_at"] if obj else self.fields

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> list[str]:
        return ["role", "customer", "prefix", "created_at", "revoked_at"] if obj else []

    @labelled("status", {"valid": "success", "revoked": "danger"}, "revoked_at")
    def state(self, row: ApiKey) -> str:
        return "revoked" if row.revoked_at else "valid"

    def save_model(self, request: HttpRequest, obj: ApiKey, form: forms.Form, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        row, key = ApiKey.issue(obj.name, obj.role, obj.customer)
        obj.pk, obj.issued_key = row.pk, key  # type: ignore[attr-defined]  # for this answer only
        obj.refresh_from_db()

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        return shown_once(request, f"The API key “{obj.name}”", obj.issued_key, obj, KEY_HINT)

    @confirmed("Revoke", "Refuse this key from now on? This cannot be undone.", "block")
    def revoke(self, request: HttpRequest, key: ApiKey) -> str:
        ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=clock.now())
        return f"{key} is revoked."


admin.site.unregister(User)
admin.site.unregister(Group)


@admin.register(User)
class UserAdmin(DjangoUserAdmin, ModelAdmin[User]):  # type: ignore[type-arg]  # it takes its model at type-checking time only
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ["username", "first_name", "last_name", "is_staff", "is_superuser", "last_login"]


@admin.register(Group)
class GroupAdmin(ModelAdmin[Group]):
    search_fields = ["name"]
    filter_horizontal = ["permissions"]
