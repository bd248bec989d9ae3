"""The filters of the API's lists, read strictly: a value that a filter does not take is refused, never ignored."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import django_filters
from django import forms
from django.db.models import QuerySet
from django_filters import BooleanFilter, CharFilter, ChoiceFilter, ModelChoiceFilter
from django_filters.fields import IsoDateTimeField
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request

from api.access import scope_of

LARGEST_NUMBER = 2**31 - 1
FLAGS = ("true", "false", "1", "0")


class _NumberField(forms.IntegerField):
    def to_python(self, value: Any) -> int | None:
        """Returns a number of plain digits: Python's own reader also takes `1_000`, and digits of other scripts."""
        text = "" if value is None else str(value).strip()
        if text and not (text.isascii() and text.isdigit()):
            raise forms.ValidationError(self.error_messages["invalid"], "invalid")
        return super().to_python(value)


class NumberFilter(django_filters.Filter):
    """Filters by the number of a row. Refuses what no number can be."""

    field_class = _NumberField

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, min_value=0, max_value=LARGEST_NUMBER, **options)


class _MomentField(IsoDateTimeField):
    def clean(self, value: Any) -> datetime | None:
        """In UTC: PostgreSQL refuses offsets of sixteen hours and more, which ISO 8601 allows."""
        moment: datetime | None = super().clean(value)
        try:
            return moment and moment.astimezone(UTC)
        except OverflowError:
            raise forms.ValidationError(self.error_messages["invalid"], "invalid") from None


class MomentFilter(django_filters.IsoDateTimeFilter):
    """Filters by a moment, ISO 8601. Refuses what the calendar does not hold."""

    field_class = _MomentField


class StrictFilterBackend(DjangoFilterBackend):
    """Filters by rows that the caller may see: another's number is refused like one that does not exist.

    django-filter takes an empty value, and one that is neither true nor false, for no filter: these are refused too.
    """

    def get_filterset(self, request: Request, queryset: QuerySet[Any], view: Any) -> Any:
        found = super().get_filterset(request, queryset, view)
        for one in found.filters.values() if found is not None else ():
            if isinstance(one, ModelChoiceFilter):
                one.queryset = scope_of(request).of(one.queryset.model)
        return found

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: Any) -> QuerySet[Any]:
        filters = self.get_filterset(request, queryset, view)
        if filters is not None and (faults := dict(_faults(request, filters.filters))):
            raise ValidationError(faults)
        found: QuerySet[Any] = super().filter_queryset(request, queryset, view)
        return found


def _faults(request: Request, filters: dict[str, Any]) -> Iterator[tuple[str, ErrorDetail]]:
    for name, one in filters.items():
        given = request.query_params.getlist(name)
        if len(given) > 1:
            yield name, ErrorDetail("is given more than once", "repeated")
        elif given and (fault := _fault(one, given[0].strip())):
            yield name, ErrorDetail(fault, "invalid")


def _fault(one: Any, value: str) -> str:
    """Return what is wrong with the value; empty: nothing, as far as the kind of filter tells."""
    if isinstance(one, BooleanFilter):
        return "" if value.lower() in FLAGS else "must be true or false"
    if isinstance(one, ChoiceFilter) and not isinstance(one, ModelChoiceFilter):
        choices = [str(choice) for choice, _ in one.extra["choices"]]
        return "" if value in choices else f"must be one of {', '.join(choices)}"
    return "" if value or isinstance(one, CharFilter) else "must not be empty"
