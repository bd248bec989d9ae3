"""Pages of a large table in the console: the same cursors as the API's, with links to newer and older rows."""

from typing import TypeVar

from django.db.models import Model, QuerySet
from django.http import HttpRequest

from core import paging
from core.paging import InvalidPageError

ROWS = 50
Row = TypeVar("Row", bound=Model)


def paginate(request: HttpRequest, rows: QuerySet[Row], *ordering: str) -> tuple[list[Row], dict[str, str | None]]:
    """Return the rows of the page that the address names, and its `newer` and `older` links.

    An address whose cursor is not one of this list shows the first page.
    """
    try:
        page = paging.paginate(rows, ordering, request.GET, size=ROWS)
    except InvalidPageError:
        page = paging.paginate(rows, ordering, {}, size=ROWS)
    older, newer = page.links(request.build_absolute_uri())
    return page.rows, {"newer": newer, "older": older}
