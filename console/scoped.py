"""What every page of the console has in common that reads rows: it shows those of the person's customers alone.

Rows of others are not there: their pages answer 404, and no field, filter or list offers them.
"""

from typing import TYPE_CHECKING, Any, TypeVar

from django import forms
from django.contrib import admin
from django.contrib.admin.utils import get_fields_from_path
from django.core.exceptions import ValidationError
from django.db import models
from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404

from console.access import scope_of
from core.models import Customer
from core.scope import Scope, has_customer

if TYPE_CHECKING:
    RowChoice = forms.ModelChoiceField[Any]
    RowsChoice = forms.ModelMultipleChoiceField[Any]
else:
    RowChoice, RowsChoice = forms.ModelChoiceField, forms.ModelMultipleChoiceField

Row = TypeVar("Row", bound=models.Model)


def row_or_404(request: HttpRequest, model: type[Row], key: object) -> Row:
    """Return the row of this primary key. Raises Http404 where there is none, or none that the person sees."""
    try:
        return get_object_or_404(scope_of(request).of(model), pk=key)
    except (ValueError, ValidationError, OverflowError):
        raise Http404 from None


def customer_or_404(request: HttpRequest, customer: int) -> int:
    """Return the customer's number. Raises Http404 where the person does not see the customer."""
    if not scope_of(request).sees(customer):
        raise Http404
    return customer


class ScopedForm(forms.Form):
    """A form whose choices of rows are those of a scope."""

    def __init__(self, scope: Scope, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        for field in self.fields.values():
            if isinstance(field, RowField | RowsField):
                field.offer(scope)


class RowField(RowChoice):
    """A choice of one row, which a `ScopedForm` fills. `related` is read with the rows."""

    def __init__(self, model: type[models.Model], *related: str, **options: Any) -> None:
        super().__init__(model._default_manager.none(), **options)
        self.model, self.related = model, related

    def offer(self, scope: Scope) -> None:
        self.queryset = scope.of(self.model).select_related(*self.related)


class RowsField(RowsChoice):
    """A choice of several rows, which a `ScopedForm` fills. `related` is read with the rows."""

    def __init__(self, model: type[models.Model], *related: str, **options: Any) -> None:
        super().__init__(model._default_manager.none(), **options)
        self.model, self.related = model, related

    def offer(self, scope: Scope) -> None:
        self.queryset = scope.of(self.model).select_related(*self.related)


class ScopedFilter(admin.RelatedFieldListFilter):
    """A filter of a list by what its rows belong to: offers what the person sees."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> Any:
        rows = scope_of(request).of(field.remote_field.model)
        ordering = self.field_admin_ordering(field, request, model_admin)
        return [(row.pk, str(row)) for row in (rows.order_by(*ordering) if ordering else rows)]


def choices_of(request: HttpRequest, db_field: Any, options: dict[str, Any]) -> dict[str, Any]:
    """Return the options of a form's field that names a row: the choices are the rows that the person sees.

    Who sees some customers only must name one of them: what belongs to no customer belongs to all.
    """
    model, scope = db_field.remote_field.model, scope_of(request)
    if not has_customer(model):
        return options
    needed = {"required": True} if model is Customer and scope.customers is not None else {}
    return {**options, **needed, "queryset": scope.of(model)}


def filters_of(model: type[models.Model], filters: Any) -> list[Any]:
    """Return the filters of a list, of which those by rows offer the rows that the person sees."""
    return [(one, ScopedFilter) if _names_rows(model, one) else one for one in filters]


def _names_rows(model: type[models.Model], one: Any) -> bool:
    field: Any = get_fields_from_path(model, one)[-1] if isinstance(one, str) else None
    return field is not None and field.is_relation and has_customer(field.remote_field.model)
