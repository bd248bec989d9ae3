"""Pages of a large table: the API's cursors, in the console."""

from types import SimpleNamespace
from typing import Any

from django.db.models import Model, QuerySet
from django.http import HttpRequest, QueryDict
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from api.pagination import NewestLast

ROWS = 50


def turn(request: HttpRequest, rows: QuerySet[Any], *ordering: str) -> tuple[list[Model], dict[str, str | None]]:
    """The rows of the page that the address names (the first where its cursor is none), and the ways on."""
    pager = NewestLast()
    pager.page_size = ROWS
    view: Any = SimpleNamespace(ordering=ordering)
    try:
        found = pager.paginate_queryset(rows, Request(request), view)
    except ValidationError:
        request.GET = QueryDict()
        found = pager.paginate_queryset(rows, Request(request), view)
    ways = pager.get_paginated_response(None).data
    return found, {"newer": ways["previous"], "older": ways["next"]}
