"""Cursor pages of the API's lists, ordered by the view's `ordering` (the primary key where it names none).

A cursor holds values of the row where a page ends. Callers who may not see personal data get it sealed, and can give
none of their own making: it would find out which values there are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cryptography.fernet import InvalidToken
from django.conf import settings
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response

from core.keys import KeyRing
from core.paging import CURSOR, MOST_ROWS, SIZE, InvalidPageError, Page, paginate

if TYPE_CHECKING:  # the settings name this module, and views read the settings while they are imported
    from rest_framework.views import APIView

_NO_CURSOR = "-"


class KeysetPagination(BasePagination):
    """`{"next", "previous", "results"}`; `?page_size=` up to 1,000."""

    page_size = 100

    def paginate_queryset(self, queryset: Any, request: Request, view: "APIView | None" = None) -> list[Any]:
        ordering: Sequence[str] = getattr(view, "ordering", None) or (queryset.model._meta.pk.name,)
        try:
            page = _page(queryset, ordering, request, self.page_size)
        except InvalidPageError as error:
            raise ValidationError({error.parameter: error.message}) from None
        self.links = page.links(request.build_absolute_uri())
        return page.rows

    def get_paginated_response(self, data: Any) -> Response:
        following, previous = self.links
        return Response({"next": following, "previous": previous, "results": data})

    def get_paginated_response_schema(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        link = {"type": "string", "nullable": True, "format": "uri"}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {"next": link, "previous": link, "results": schema},
        }

    def get_schema_operation_parameters(self, view: "APIView") -> list[dict[str, Any]]:
        cursor = {"name": CURSOR, "in": "query", "schema": {"type": "string"}}
        size = {"type": "integer", "minimum": 1, "maximum": MOST_ROWS, "default": self.page_size}
        return [cursor, {"name": SIZE, "in": "query", "schema": size}]


def _page(rows: Any, ordering: Sequence[str], request: Request, size: int) -> Page[Any]:
    from api.personal import sees_persons

    if sees_persons(request):
        return paginate(rows, ordering, request.query_params, size=size)
    keys, given = KeyRing(settings.SECRET_KEYS), request.query_params.dict()
    if given.get(CURSOR):
        given[CURSOR] = _opened(keys, given[CURSOR])
    page = paginate(rows, ordering, given, size=size)
    return replace(page, next=_sealed(keys, page.next), previous=_sealed(keys, page.previous))


def _sealed(keys: KeyRing, cursor: str | None) -> str | None:
    return None if cursor is None else keys.seal(cursor).decode()


def _opened(keys: KeyRing, text: str) -> str:
    try:
        return str(keys.open(text.encode()))
    except InvalidToken:
        return _NO_CURSOR
