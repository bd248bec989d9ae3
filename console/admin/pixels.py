"""Pixels in the console."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.postgres.forms import SimpleArrayField
from django.http import HttpRequest, HttpResponse
from django.utils.html import escape, format_html
from unfold.widgets import UnfoldAdminTextInputWidget

from console.cells import note_health, shown_health
from console.components import (
    BaseInlineFormSet,
    ModelAdmin,
    ModelForm,
    ScopedInline,
    confirmed_action,
    keep_secret,
    never_deleted,
    secret_of,
    shown_once,
)
from core.origins import MOST as MOST_ORIGINS
from core.origins import clean_origin
from pipeline.health import reading
from profiles.models import Pixel, PixelIntegration
from profiles.models.pixels import ORIGINS_HELP, check_origin

SECRET_HINT = "Your server signs the requests to /dp with it: see docs/edge.md."


class PixelForm(ModelForm[Pixel]):
    origins = SimpleArrayField(
        forms.CharField(max_length=300, validators=[check_origin]),
        required=False,
        max_length=MOST_ORIGINS,
        widget=UnfoldAdminTextInputWidget,
        label="Origins",
        help_text=f"By commas. {ORIGINS_HELP}",
    )

    class Meta:
        model = Pixel
        fields = ["customer", "name", "user_key", "auth", "origins"]

    def clean_origins(self) -> list[str]:
        return list(dict.fromkeys(map(clean_origin, self.cleaned_data["origins"])))


class IntegrationFormSet(BaseInlineFormSet[PixelIntegration, Pixel, Any]):
    def clean(self) -> None:
        super().clean()
        for form in self.forms:
            platform = form.cleaned_data.get("platform") if hasattr(form, "cleaned_data") else None
            if platform and platform.customer_id != self.instance.customer_id:
                form.add_error("platform", "This platform belongs to another customer.")


class IntegrationInline(ScopedInline):
    model = PixelIntegration
    formset = IntegrationFormSet
    extra = 0
    verbose_name = "integration"
    verbose_name_plural = "Integrations: platforms whose user sync this pixel starts"


def is_signed(pixel: Pixel) -> bool:
    return pixel.auth == Pixel.Auth.SIGNED


def _shown(request: HttpRequest, pixel: Pixel) -> HttpResponse | None:
    secret = secret_of(pixel)
    if secret is None:
        return None
    return shown_once(request, f"The signing secret of {pixel.name}", secret, pixel, SECRET_HINT)


@admin.register(Pixel)
class PixelAdmin(ModelAdmin[Pixel]):
    list_display = ["name", "id", "customer", "health", "user_key", "created_at"]
    list_filter = ["customer"]
    search_fields = ["name", "id", "user_key"]
    list_select_related = ["customer"]
    inlines = [IntegrationInline]
    form = PixelForm
    add_fieldsets = [(None, {"fields": ["customer", "name", "user_key", "auth", "origins"]})]
    fieldsets = [
        *add_fieldsets,
        ("Tag", {"fields": ["html"], "description": "Paste this into every page that the pixel counts."}),
    ]
    readonly_fields = ["html"]
    actions_detail = ["rotate_secret"]
    fixed_fields = ["customer"]
    has_delete_permission = never_deleted  # audiences may count on it: the API asks them first

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        listed = super().get_changelist_instance(request)
        note_health(request, listed.result_list, reading.of_pixels)
        return listed

    @admin.display(description="how it is doing")
    def health(self, pixel: Pixel) -> str:
        return shown_health(pixel)

    def save_model(self, request: HttpRequest, obj: Pixel, form: Any, change: bool) -> None:
        keep_secret(obj, obj.settle_secrets(None))
        super().save_model(request, obj, form, change)

    def response_add(self, request: HttpRequest, obj: Pixel, post_url_continue: str | None = None) -> HttpResponse:
        return _shown(request, obj) or super().response_add(request, obj, post_url_continue)

    def response_change(self, request: HttpRequest, obj: Pixel) -> HttpResponse:
        return _shown(request, obj) or super().response_change(request, obj)

    @confirmed_action(
        "New signing secret", "Make a new secret? The present one stays valid until the next change.", "key", is_signed
    )
    def rotate_secret(self, request: HttpRequest, pixel: Pixel) -> HttpResponse:
        secret = pixel.renew_secret()
        pixel.save(update_fields=["signing_secrets"])
        return shown_once(request, f"The new signing secret of {pixel.name}", secret, pixel, SECRET_HINT)

    @admin.display(description="HTML")
    def html(self, pixel: Pixel) -> str:
        return format_html('<pre class="hub-code hub-block">{}</pre>', escape(pixel.tag))
