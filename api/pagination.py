"""Cursor pages of the API's lists, ordered by the view's `ordering` (the primary key where it names none)."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rest_framework.exceptions import ValidationError
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response

from core.paging import CURSOR, MOST_ROWS, SIZE, InvalidPageError, paginate

if TYPE_CHECKING:  # the settings name this module, and views read the settings while they are imported
    from rest_framework.views import APIView


class KeysetPagination(BasePagination):
    """`{"next", "previous", "results"}`; `?page_size=` up to 1,000."""

    page_size = 100

    def paginate_queryset(self, queryset: Any, request: Request, view: "APIView | None" = None) -> list[Any]:
        ordering: Sequence[str] = getattr(view, "ordering", None) or (queryset.model._meta.pk.name,)
        try:
            page = paginate(queryset, ordering, request.query_params, size=self.page_size)
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
