"""Pixels in the console."""

from typing import Any

from django.contrib import admin
from django.utils.html import escape, format_html

from console.components import BaseInlineFormSet, ModelAdmin, TabularInline, never_deleted
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
    add_fieldsets = [(None, {"fields": ["customer", "name", "user_key"]})]
    fieldsets = [
        *add_fieldsets,
        ("Tag", {"fields": ["html"], "description": "Paste this into every page that the pixel counts."}),
    ]
    readonly_fields = ["html"]
    fixed_fields = ["customer"]
    has_delete_permission = never_deleted  # audiences may count on it: the API asks them first

    @admin.display(description="HTML")
    def html(self, pixel: Pixel) -> str:
        return format_html('<pre class="hub-code hub-block">{}</pre>', escape(pixel.tag))
