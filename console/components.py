"""What every page of the console is made of: its frame, django-unfold's admin classes with types, forms whose change a
service makes, columns, and buttons that ask first."""

import copy
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.models import CHANGE, LogEntry
from django.core.exceptions import BadRequest, PermissionDenied, ValidationError
from django.db import IntegrityError, models, transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.decorators import action, display

from console.access import number_of, scope_of
from console.audited import AuditedAdmin, owner_of
from console.changelist import StrictChangeList
from console.fields import JsonField
from console.scoped import choices_of, filters_of
from core import audit, problems
from core.errors import TeamError

if TYPE_CHECKING:  # unfold ships no types and its classes are Django's with more on top
    from django.contrib.admin import ModelAdmin as UnfoldModelAdmin
    from django.contrib.admin import TabularInline
    from django.forms import BaseInlineFormSet, ModelForm
else:
    import unfold.admin

    class ModelForm(forms.ModelForm):
        __class_getitem__ = classmethod(lambda cls, _: cls)

    class BaseInlineFormSet(forms.BaseInlineFormSet):
        __class_getitem__ = classmethod(lambda cls, _: cls)

    class UnfoldModelAdmin(unfold.admin.ModelAdmin):
        __class_getitem__ = classmethod(lambda cls, _: cls)

    class TabularInline(unfold.admin.TabularInline):
        __class_getitem__ = classmethod(lambda cls, _: cls)


__all__ = ["BaseInlineFormSet", "ModelAdmin", "ModelForm", "ScopedInline", "ServiceForm"]  # three of them are imported


class ScopedInline(TabularInline[Any, Any]):
    """A table of rows on the page of another row; its fields offer what the person sees."""

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **options: Any) -> Any:
        return super().formfield_for_foreignkey(db_field, request, **choices_of(request, db_field, options))


Row = TypeVar("Row", bound=models.Model)
Fieldsets = list[tuple[str | None, Any]]


def page(request: HttpRequest, template: str, title: str, *, status: int = 200, **context: Any) -> TemplateResponse:
    """Return a page of the console: `templates/console/<template>` inside its frame."""
    request.current_app = admin.site.name
    everything = {**admin.site.each_context(request), "title": title, **context}
    return TemplateResponse(request, f"console/{template}", everything, status=status)


def shown_once(request: HttpRequest, what: str, secret: str, onward: models.Model, hint: str = "") -> TemplateResponse:
    """Return the only page that ever shows the secret. It is kept in no message, cookie or session."""
    return page(request, "shown_once.html", what, secret=secret, hint=hint, onward=admin_address(onward))


def admin_address(row: models.Model) -> str:
    """Return the address of the row's own page in the console."""
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


class ModelAdmin(AuditedAdmin, UnfoldModelAdmin[Row]):
    """The pages of a model. `fixed_fields` cannot be changed once the row exists; `add_fieldsets`, where given, are
    shown instead of `fieldsets` while a row is made. `subject`: what rows are called where one of them is broken
    (`core.problems`); the pages then say why. `is_scoped` is false for rows that belong to no customer: all others are
    shown to those who see their customer."""

    is_scoped: ClassVar[bool] = True
    fixed_fields: ClassVar[list[str]] = []
    add_fieldsets: ClassVar[Fieldsets | None] = None
    subject: ClassVar[str] = ""
    formfield_overrides: ClassVar[Any] = {models.JSONField: {"form_class": JsonField}}

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Row]:
        """Return the rows of the person's customers. For who may not see this page there are none: by a refusal instead
        of a 404 they would learn which numbers there are."""
        rows = scope_of(request).of(self.model) if self.is_scoped else super().get_queryset(request)
        if not self.has_view_or_change_permission(request):
            return rows.none()
        ordering = self.get_ordering(request)
        return rows.order_by(*ordering) if ordering else rows

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **options: Any) -> Any:
        return super().formfield_for_foreignkey(db_field, request, **choices_of(request, db_field, options))

    def get_changelist(self, request: HttpRequest, **options: Any) -> type[StrictChangeList]:
        return StrictChangeList

    def get_list_filter(self, request: HttpRequest) -> Any:
        return filters_of(self.model, super().get_list_filter(request))

    def _get_obj_does_not_exist_redirect(self, request: HttpRequest, opts: Any, object_id: str) -> HttpResponse:
        """Django would lead to the first page. What is not there, or not the person's, is 404 as everywhere."""
        raise Http404

    def get_list_display(self, request: HttpRequest) -> Any:
        columns = super().get_list_display(request)
        return [*columns, "problem"] if self.subject else columns

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Read the problems of a whole page in one query."""
        listed = super().get_changelist_instance(request)
        known = problems.of(self.subject, [row.pk for row in listed.result_list]) if self.subject else {}
        for row in listed.result_list:
            row.known_problem = known.get(row.pk, "")
        return listed

    @admin.display(description="problem")
    def problem(self, row: Any) -> str:
        """Why the row cannot be used; empty where it can."""
        known: str | None = getattr(row, "known_problem", None)
        return problems.of(self.subject, [row.pk]).get(row.pk, "") if known is None else known

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **options: Any) -> Any:
        row = options.get("obj")
        if row is not None and self.subject and (words := self.problem(row)):
            messages.warning(request, f"It is left out: {words}")
        return super().render_change_form(request, context, *args, **options)

    def get_readonly_fields(self, request: HttpRequest, obj: Row | None = None) -> Any:
        always = super().get_readonly_fields(request, obj)
        return [*always, *self.fixed_fields] if obj else always

    def get_fieldsets(self, request: HttpRequest, obj: Row | None = None) -> Any:
        if obj is None and self.add_fieldsets is not None:
            return self.add_fieldsets
        return super().get_fieldsets(request, obj)

    def get_actions(self, request: HttpRequest) -> Any:
        """Return the actions on chosen rows. One that names no permission is for those who may change the rows."""
        offered: dict[str, Any] = cast("Any", super()).get_actions(request)
        if self.has_change_permission(request):
            return offered
        return {name: one for name, one in offered.items() if getattr(one[0], "allowed_permissions", None)}

    def response_action(self, request: HttpRequest, queryset: Any, *more: Any, **options: Any) -> Any:
        """Carry out an action on the chosen rows. What cannot be the number of a row is refused."""
        if None in map(number_of, request.POST.getlist(ACTION_CHECKBOX_NAME)):
            raise BadRequest("no number of a row")
        return super().response_action(request, queryset, *more, **options)

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[Any]:
        """Return the buttons that fit the row as it is, and that the person may use."""
        row = self.get_object(request, object_id)
        offered: list[Any] = cast("Any", super()).get_actions_detail(request, object_id)
        fitting = [one for one in offered if row is None or one.method.fits(row)]
        return [one for one in fitting if self.may_use(request, one.method.permission, row)]

    def may_use(self, request: HttpRequest, permission: str, row: Row | None = None) -> bool:
        """Whether the person holds the permission: `view` or `change` of the row, or one of Django's by its name."""
        if "." in permission:
            return request.user.has_perm(permission)
        return bool(getattr(self, f"has_{permission}_permission")(request, row))


class ServiceForm(ModelForm[Any]):
    """A form whose change is made by a service.

    The change is tried and undone while the form is checked, so that a refusal of the service stands at its field.
    """

    refusals: ClassVar[tuple[type[Exception], ...]] = ()
    """Errors of the service whose text is shown above the form."""

    def change(self, row: Any) -> Any:
        """Make the change by the service that owns it; `row` carries the form's values."""
        raise NotImplementedError

    def refused(self, error: Exception) -> bool:
        """Show the error at its field. Returns false where it is none of the service's refusals."""
        if isinstance(error, self.refusals):
            error = ValidationError(str(error))
        if isinstance(error, IntegrityError):  # fields that cannot be changed are no part of what the form compares
            error = ValidationError("This collides with something that exists: is the name taken?")
        if isinstance(error, ValidationError):
            self.add_error(None, error)
        return isinstance(error, ValidationError)

    def _post_clean(self) -> None:
        cast("Any", super())._post_clean()
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


def stored(row: Row) -> Row:
    """Return the row as it is stored, whatever a form has changed of it."""
    found = copy.copy(row)
    found.refresh_from_db()
    return found


def saved_by_service(model_admin: Any, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
    """`save_model` of what a `ServiceForm` changes."""
    obj.pk = form.change(obj).pk
    obj.refresh_from_db()


class _SecretOnce(Protocol):
    secret_once: str | None


def keep_secret(row: models.Model, secret: str | None) -> None:
    """Keep a new secret with the row in memory, for this request's answer only."""
    cast("_SecretOnce", row).secret_once = secret


def secret_of(row: models.Model) -> str | None:
    """Return the secret that `keep_secret` kept, or None."""
    secret: str | None = getattr(row, "secret_once", None)
    return secret


Method = TypeVar("Method", bound=Callable[..., Any])


def label_column(description: str, tones: dict[str, str], ordering: str = "status") -> Callable[[Method], Method]:
    """A column of coloured labels: `tones` names info, success, warning or danger for each value."""

    def decorate(method: Method) -> Method:
        shown: Method = display(description=description, ordering=ordering, label=tones)(method)
        return shown

    return decorate


Fits = Callable[[Any], bool]


def always(_row: Any) -> bool:
    return True


def button(title: str, icon: str, fits: Fits = always, permission: str = "view") -> Callable[[Method], Method]:
    """A button on the page of a row that it fits; leads to the method's page, and must change nothing.

    It is there for those who hold the `permission`, as in `ModelAdmin.may_use`. The page itself asks again.
    """

    def decorate(method: Method) -> Method:
        shown: Any = action(description=title, url_path=method.__name__.replace("_", "-"), icon=icon)(method)
        shown.fits, shown.permission = fits, permission
        return cast("Method", shown)

    return decorate


Change = Callable[[Any, HttpRequest, Any], HttpResponse | str]


def confirmed_action(title: str, question: str, icon: str, fits: Fits = always) -> Callable[[Change], Any]:
    """A button on the page of a row that it fits; asks first, and changes by POST only.

    The method makes the change and returns what to say, or a page of its own.
    """

    return _asking(button(title, icon, fits, "change"), title, question, _carry_out)


def confirmed_request(title: str, question: str, icon: str) -> Callable[[Change], Any]:
    """Like `confirmed_action`, for what only asks somebody else: no transaction is open meanwhile."""
    return _asking(button(title, icon, permission="change"), title, question, _ask)


def _asking(
    shown: Callable[[Any], Any], title: str, question: str, carry_out: Callable[..., HttpResponse]
) -> Callable[[Change], Any]:
    def decorate(change: Change) -> Any:
        @wraps(change)
        def view(self: Any, request: HttpRequest, object_id: str) -> HttpResponse:
            row = row_of(self, request, object_id, "change")
            if request.method != "POST":
                return page(
                    request, "confirm.html", title, verb=title, question=question, row=row, back=admin_address(row)
                )
            return carry_out(self, request, row, change)

        return shown(view)

    return decorate


def row_of(model_admin: Any, request: HttpRequest, object_id: str, permission: str) -> Any:
    """Return the row of a button's page. Raises Http404, and PermissionDenied without the permission."""
    row = model_admin.get_object(request, object_id)
    if row is None:
        raise Http404
    if not model_admin.may_use(request, permission, row):
        raise PermissionDenied
    return row


def _carry_out(model_admin: Any, request: HttpRequest, row: Any, change: Change) -> HttpResponse:
    def logged(model_admin: Any, request: HttpRequest, row: Any) -> HttpResponse | str:
        with transaction.atomic(), audit.at_least(change.__name__, row._meta.db_table, row.pk, customer=owner_of(row)):
            said = change.__name__.replace("_", " ")
            LogEntry.objects.log_actions(request.user.pk or 0, [row], CHANGE, said, single_object=True)
            return change(model_admin, request, row)

    return _ask(model_admin, request, row, logged)


def _ask(model_admin: Any, request: HttpRequest, row: Any, change: Change) -> HttpResponse:
    try:
        answer = change(model_admin, request, row)
    except (ValidationError, TeamError) as error:
        said = [error.message] if isinstance(error, TeamError) else error.messages
        messages.error(request, " ".join(said))
        return HttpResponseRedirect(admin_address(row))
    if isinstance(answer, HttpResponse):
        return answer
    messages.success(request, answer)
    return HttpResponseRedirect(admin_address(row))


def never_deleted(model_admin: Any, request: HttpRequest, obj: Any = None) -> bool:
    """`has_delete_permission` of what is never deleted by hand."""
    return False
