"""Pixels in the console."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import escape, format_html

from console.components import BaseInlineFormSet, ModelAdmin, TabularInline, stays
from profiles.models import Pixel, PixelIntegration


class IntegrationFormSet(BaseInlineFormSet[PixelIntegration, Pixel, Any]):
    def clean(self) -> None:
        super().clean()
        for form in self.forms:
            platform = form.cleaned_data.get("platform") if hasattr(form, "cleaned_data") else None
            if platform and platform.customer_id != self.instance.customer_id:
                form.add_error("platform", "This platform belongs to another customer.")


class IntegrationInline(TabularInline[PixelIntegration, Pixel]):
    model = PixelIntegration
    formset = IntegrationFormSet
    extra = 0
    verbose_name = "integration"
    verbose_name_plural = "Integrations: platforms whose user sync this pixel starts"


@admin.register(Pixel)
class PixelAdmin(ModelAdmin[Pixel]):
    list_display = ["name", "id", "customer", "user_key", "created_at"]
    list_filter = ["customer"]
    search_fields = ["name", "id", "user_key"]
    list_select_related = ["customer"]
    inlines = [IntegrationInline]
    fieldsets = [
        (None, {"fields": ["customer", "name", "user_key"]}),
        ("Tag", {"fields": ["html"], "description": "Paste this into every page that the pixel counts."}),
    ]
    readonly_fields = ["html"]
    has_delete_permission = stays  # audiences may count on it: the API asks them first

    def get_readonly_fields(self, request: HttpRequest, obj: Pixel | None = None) -> list[str]:
        return ["html", "customer"] if obj else ["html"]

    def get_fieldsets(self, request: HttpRequest, obj: Pixel | None = None) -> Any:
        every = super().get_fieldsets(request, obj)
        return every if obj else every[:1]

    @admin.display(description="HTML")
    def html(self, pixel: Pixel) -> str:
        return format_html('<pre class="hub-code hub-block">{}</pre>', escape(pixel.tag))
