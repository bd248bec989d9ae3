"""Cursor pages: each begins behind the last row of the one before, however large the table.

The rows are ordered by the view's `ordering` (the primary key where it names none): fields of one
direction that together name a row. The cursor holds those fields' values.
"""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.core.exceptions import ValidationError as DjangoValidationError
from django.db.models import Model, Q, QuerySet
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

if TYPE_CHECKING:  # the settings name this module, and views read the settings while they are imported
    from rest_framework.views import APIView

MOST_ROWS = 1000


class NewestLast(BasePagination):
    """`{"next", "previous", "results"}`; `?page_size=` up to 1,000."""

    page_size = 100
    cursor_query_param = "cursor"
    page_size_query_param = "page_size"

    def paginate_queryset(self, queryset: Any, request: Request, view: "APIView | None" = None) -> list[Any]:
        self.address = request.build_absolute_uri()
        self.names = _ordering(queryset, view)
        size = self._size(request)
        backwards, last = self._position(request, queryset.model)
        names = [_opposite(name) for name in self.names] if backwards else self.names
        found = list(queryset.filter(_behind(names, last)).order_by(*names)[: size + 1])
        page = found[:size][::-1] if backwards else found[:size]
        more = len(found) > size
        self.next_row = page[-1] if page and (backwards or more) else None
        self.previous_row = page[0] if page and (more if backwards else bool(last)) else None
        return page

    def get_paginated_response(self, data: Any) -> Response:
        return Response(
            {"next": self._link(self.next_row, "n"), "previous": self._link(self.previous_row, "p"), "results": data}
        )

    def get_paginated_response_schema(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        link = {"type": "string", "nullable": True, "format": "uri"}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {"next": link, "previous": link, "results": schema},
        }

    def get_schema_operation_parameters(self, view: "APIView") -> list[dict[str, Any]]:
        cursor = {"name": self.cursor_query_param, "in": "query", "schema": {"type": "string"}}
        size = {"type": "integer", "minimum": 1, "maximum": MOST_ROWS, "default": self.page_size}
        return [cursor, {"name": self.page_size_query_param, "in": "query", "schema": size}]

    def _size(self, request: Request) -> int:
        text = request.query_params.get(self.page_size_query_param, str(self.page_size))
        if not (text.isascii() and text.isdecimal() and len(text) <= 4 and 1 <= int(text) <= MOST_ROWS):
            raise ValidationError({self.page_size_query_param: f"must be a number from 1 to {MOST_ROWS}"})
        return int(text)

    def _position(self, request: Request, model: type[Model]) -> tuple[bool, list[Any]]:
        text = request.query_params.get(self.cursor_query_param)
        if not text:
            return False, []
        try:
            direction, *values = json.loads(base64.urlsafe_b64decode(text.encode("ascii")))
            fields = [_field(model, name) for name in self.names]
            return direction == "p", [field.to_python(value) for field, value in zip(fields, values, strict=True)]
        except (ValueError, TypeError, binascii.Error, DjangoValidationError, RecursionError):
            raise ValidationError({self.cursor_query_param: "This is not a cursor of this list."}) from None

    def _link(self, row: Any, direction: str) -> str | None:
        if row is None:
            return None
        values = [_plain(getattr(row, _field(type(row), name).attname)) for name in self.names]
        cursor = base64.urlsafe_b64encode(json.dumps([direction, *values]).encode()).decode()
        return replace_query_param(self.address, self.cursor_query_param, cursor)


def _ordering(queryset: QuerySet[Any], view: "APIView | None") -> list[str]:
    given: Sequence[str] | None = getattr(view, "ordering", None)
    return list(given) if given else [queryset.model._meta.pk.name]


def _opposite(name: str) -> str:
    return name[1:] if name.startswith("-") else f"-{name}"


def _field(model: type[Model], name: str) -> Any:
    return model._meta.get_field(name.removeprefix("-"))


def _plain(value: Any) -> Any:
    if isinstance(value, UUID):
        return str(value)
    return value.isoformat() if hasattr(value, "isoformat") else value


def _behind(names: list[str], last: list[Any]) -> Q:
    """`(a, b) > (x, y)`, with the bound on `a` by itself so that an index can begin there."""
    if not last:
        return Q()
    beyond = Q()
    for depth in range(len(names)):
        step = {name.removeprefix("-"): value for name, value in zip(names[:depth], last[:depth], strict=True)}
        beyond |= Q(**step, **{_compare(names[depth], ""): last[depth]})
    return Q(**{_compare(names[0], "e"): last[0]}) & beyond


def _compare(name: str, equal: str) -> str:
    return f"{name.removeprefix('-')}__{'lt' if name.startswith('-') else 'gt'}{equal}"
