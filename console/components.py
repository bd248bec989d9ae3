"""What every room's admin pages are made of: django-unfold's classes, typed, and pages of our own."""

import copy
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import models, transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.decorators import action, display

if TYPE_CHECKING:  # unfold ships no types and its classes are Django's with more on top
    from django.contrib.admin import ModelAdmin, TabularInline
    from django.forms import BaseInlineFormSet, ModelForm
else:
    import unfold.admin

    class ModelForm(forms.ModelForm):
        __class_getitem__ = classmethod(lambda cls, _: cls)

    class BaseInlineFormSet(forms.BaseInlineFormSet):
        __class_getitem__ = classmethod(lambda cls, _: cls)

    class ModelAdmin(unfold.admin.ModelAdmin):
        __class_getitem__ = classmethod(lambda cls, _: cls)

        def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[Any]:
            """The buttons that fit the row as it is."""
            row = self.get_object(request, object_id)
            offered = super().get_actions_detail(request, object_id)
            return [one for one in offered if row is None or one.method.fits(row)]

    class TabularInline(unfold.admin.TabularInline):
        __class_getitem__ = classmethod(lambda cls, _: cls)


__all__ = [
    "BaseInlineFormSet",
    "ModelAdmin",
    "ModelForm",
    "TabularInline",
    "TriedFirst",
    "address",
    "asked",
    "button",
    "confirmed",
    "labelled",
    "page",
    "shown_once",
    "stays",
]


def page(request: HttpRequest, template: str, title: str, *, status: int = 200, **context: Any) -> TemplateResponse:
    """A page of the console: `templates/console/<template>` inside its frame."""
    request.current_app = admin.site.name
    everything = {**admin.site.each_context(request), "title": title, **context}
    return TemplateResponse(request, f"console/{template}", everything, status=status)


def shown_once(request: HttpRequest, what: str, secret: str, onward: models.Model, hint: str = "") -> TemplateResponse:
    """The only page that ever shows the secret; it is kept in no message, cookie or session."""
    return page(request, "shown_once.html", what, secret=secret, hint=hint, onward=address(onward))


def address(row: models.Model) -> str:
    """Of the row's own page in the console."""
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


class TriedFirst(ModelForm[Any]):
    """A form whose change a service makes: tried and undone while the form is checked, so that what the
    service refuses is told at its field."""

    def change(self, row: Any) -> Any:
        """Make the change by the service that owns it; `row` carries the form's values."""
        raise NotImplementedError

    def refused(self, error: Exception) -> bool:
        """Tell the error at its field; false where it is none of the service's refusals."""
        if isinstance(error, ValidationError):
            self.add_error(None, error)
        return isinstance(error, ValidationError)

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]  # ModelForm has it, its stubs do not
        if not self.errors:
            self._try()

    def _try(self) -> None:
        try:
            with transaction.atomic():
                self.change(copy.copy(self.instance))
                transaction.set_rollback(True)
        except Exception as error:
            if not self.refused(error):
                raise


Method = TypeVar("Method", bound=Callable[..., Any])


def labelled(description: str, tones: dict[str, str], ordering: str = "status") -> Callable[[Method], Method]:
    """A column of coloured labels: `tones` names info, success, warning or danger for each value."""

    def decorate(method: Method) -> Method:
        shown: Method = display(description=description, ordering=ordering, label=tones)(method)
        return shown

    return decorate


Fits = Callable[[Any], bool]


def always(_row: Any) -> bool:
    return True


def button(title: str, icon: str, fits: Fits = always) -> Callable[[Method], Method]:
    """A button on the page of a row that it fits; leads to the method's page, and must change nothing."""

    def decorate(method: Method) -> Method:
        shown: Any = action(description=title, url_path=method.__name__.replace("_", "-"), icon=icon)(method)
        shown.fits = fits
        return cast("Method", shown)

    return decorate


Change = Callable[[Any, HttpRequest, Any], HttpResponse | str]


def confirmed(title: str, question: str, icon: str, fits: Fits = always) -> Callable[[Change], Any]:
    """A button on the page of a row that it fits; asks first, and changes by POST only.

    The method makes the change and answers what to say, or a page of its own.
    """

    return _asking(button(title, icon, fits), title, question, _carry_out)


def asked(title: str, question: str, icon: str) -> Callable[[Change], Any]:
    """Like `confirmed`, for what only asks somebody else: no transaction is open meanwhile."""
    return _asking(button(title, icon), title, question, _ask)


def _asking(
    shown: Callable[[Any], Any], title: str, question: str, carry_out: Callable[..., HttpResponse]
) -> Callable[[Change], Any]:
    def decorate(change: Change) -> Any:
        @wraps(change)
        def view(self: Any, request: HttpRequest, object_id: str) -> HttpResponse:
            row = _row(self, request, object_id)
            if request.method != "POST":
                return page(request, "confirm.html", title, verb=title, question=question, row=row, back=address(row))
            return carry_out(self, request, row, change)

        return shown(view)

    return decorate


def _row(model_admin: Any, request: HttpRequest, object_id: str) -> Any:
    row = model_admin.get_object(request, object_id)
    if row is None:
        raise Http404
    if not model_admin.has_change_permission(request, row):
        raise PermissionDenied
    return row


def _carry_out(model_admin: Any, request: HttpRequest, row: Any, change: Change) -> HttpResponse:
    def logged(model_admin: Any, request: HttpRequest, row: Any) -> HttpResponse | str:
        with transaction.atomic():
            model_admin.log_change(request, row, change.__name__.replace("_", " "))
            return change(model_admin, request, row)

    return _ask(model_admin, request, row, logged)


def _ask(model_admin: Any, request: HttpRequest, row: Any, change: Change) -> HttpResponse:
    try:
        answer = change(model_admin, request, row)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
        return HttpResponseRedirect(address(row))
    if isinstance(answer, HttpResponse):
        return answer
    messages.success(request, answer)
    return HttpResponseRedirect(address(row))


def stays(model_admin: Any, request: HttpRequest, obj: Any = None) -> bool:
    """`has_delete_permission` of what is never deleted by hand."""
    return False
