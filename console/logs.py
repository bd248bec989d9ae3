"""Logs: pages of the console that list a large table behind a filter, newest first, fifty rows a page.

A page declares its `Log` (the filter's form, what it finds, the columns, what is replayed) and shows it. Permissions
to see the page stay with the page.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.html import format_html
from django.utils.safestring import SafeString

from console.access import scope_of
from console.cells import table
from console.components import page
from console.scoped import ScopedForm
from core import paging
from core.paging import InvalidPageError
from core.scope import Scope

ROWS = 50
Row = TypeVar("Row", bound=Model)
Filter = Mapping[str, Any]
"""The cleaned values of a filter's form; empty where the log has none."""


@dataclass(frozen=True, slots=True)
class Replay(Generic[Row]):
    """Rows that can be tried again: `every` takes all that the filter finds, and the filter; `named` the chosen ones.

    Both return how many were replayed, of what the person sees; `done` and `none` are what is said then.
    """

    permission: str
    every: Callable[[QuerySet[Row], Filter], int]
    named: Callable[[Scope, list[str]], int]
    done: str
    none: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Log(Generic[Row]):
    """`find` returns the rows of the scope that fit the filter, `cells` the table's rows for those of a page.

    `ordering` is of one direction and names a row, as in `core.paging`. `notes` returns what is said above the table.
    """

    title: str
    headers: Sequence[str]
    ordering: tuple[str, ...]
    find: Callable[[Scope, Filter], QuerySet[Row]]
    cells: Callable[[Scope, list[Row]], Iterable[Sequence[Any]]]
    form: type[ScopedForm] = ScopedForm
    replay: Replay[Row] | None = None
    notes: Callable[[Scope], Sequence[str]] = lambda _: ()

    def show(self, request: HttpRequest) -> HttpResponse:
        """Return the page that the address names. A POST replays rows, where the log has a replay."""
        if request.method == "POST" and self.replay is not None:
            return self._replay(request, self.replay)
        scope = scope_of(request)
        form = self.form(scope, request.GET)
        rows, ways = paginate(request, self._rows(scope, form), *self.ordering)
        may_replay = self.replay is not None and request.user.has_perm(self.replay.permission)
        context: dict[str, Any] = {"form": form, "ways": ways, "replay": may_replay and bool(rows)}
        context["notes"] = self.notes(scope)
        return page(request, "log.html", self.title, table=table(self.headers, self.cells(scope, rows)), **context)

    def _rows(self, scope: Scope, form: ScopedForm) -> QuerySet[Row]:
        """A filter that cannot be read finds nothing."""
        return self.find(scope, form.cleaned_data) if form.is_valid() else self.find(scope, {}).none()

    def _replay(self, request: HttpRequest, replay: Replay[Row]) -> HttpResponse:
        if not request.user.has_perm(replay.permission):
            raise PermissionDenied
        scope = scope_of(request)
        if "all" in request.POST:
            form = self.form(scope, request.GET)
            count = replay.every(self._rows(scope, form), form.cleaned_data if form.is_valid() else {})
        else:
            count = replay.named(scope, request.POST.getlist("row"))
        messages.success(request, f"{count} {replay.done}" if count else replay.none)
        return HttpResponseRedirect(request.get_full_path())


def paginate(request: HttpRequest, rows: QuerySet[Row], *ordering: str) -> tuple[list[Row], dict[str, str | None]]:
    """Return the rows of the page that the address names, and its `newer` and `older` links.

    An address whose cursor is not one of this list shows the first page.
    """
    try:
        found = paging.paginate(rows, ordering, request.GET, size=ROWS)
    except InvalidPageError:
        found = paging.paginate(rows, ordering, {}, size=ROWS)
    older, newer = found.links(request.build_absolute_uri())
    return found.rows, {"newer": newer, "older": older}


def where(rows: QuerySet[Row], **wanted: Any) -> QuerySet[Row]:
    """Return the rows that fit the lookups whose value is given: empty ones, as of an empty field, ask nothing."""
    return rows.filter(**{lookup: value for lookup, value in wanted.items() if value})


def key(row: Model | None) -> Any:
    """Return the primary key of what a filter chose, or None."""
    return None if row is None else row.pk


def choice_box(name: str) -> SafeString:
    """The cell that chooses a row, by its name, for a replay."""
    box = '<input type="checkbox" name="row" value="{}" form="replay" aria-label="choose">'
    return format_html(box, name)
