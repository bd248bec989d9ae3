"""The pages of people and keys refuse what would take away the last admin."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from core.errors import LastAdminError
from core.people.last_admin import admin_remains


class AdminRemains:
    """A part of the admin classes whose rows can be admins; stands before the others."""

    def _behind(self) -> Any:
        """The methods of the classes behind this one."""
        return super()

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        with admin_remains():
            self._behind().save_model(request, obj, form, change)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        with admin_remains():
            self._behind().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        with admin_remains():
            self._behind().delete_queryset(request, queryset)

    def changeform_view(self, request: HttpRequest, *args: Any, **options: Any) -> HttpResponse:
        return self._unless_last(request, self._behind().changeform_view, *args, **options)

    def changelist_view(self, request: HttpRequest, *args: Any, **options: Any) -> HttpResponse:
        return self._unless_last(request, self._behind().changelist_view, *args, **options)

    def delete_view(self, request: HttpRequest, *args: Any, **options: Any) -> HttpResponse:
        return self._unless_last(request, self._behind().delete_view, *args, **options)

    def _unless_last(
        self, request: HttpRequest, view: Callable[..., HttpResponse], *args: Any, **options: Any
    ) -> HttpResponse:
        """Undo what the page changed, and say why, where it would take away the last admin."""
        try:
            with transaction.atomic():
                return view(request, *args, **options)
        except LastAdminError as error:
            messages.error(request, error.message)
            return HttpResponseRedirect(request.get_full_path())
