"""Ids of nobody: what pixels send where an id should be. It is left out of the events, and a tag wants mending."""

from collections.abc import Iterator
from typing import Any

from django.contrib.auth.decorators import permission_required
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from console.cells import mono, number, when
from console.fields import choose_any_row
from console.logs import Filter, Log, key, where
from console.scoped import ScopedForm
from core.models import Customer
from core.scope import Scope
from profiles.models import NobodyCount


class NobodyFilterForm(ScopedForm):
    customer = choose_any_row(Customer)


def _find(scope: Scope, wanted: Filter) -> QuerySet[NobodyCount]:
    return where(scope.of(NobodyCount), customer_id=key(wanted.get("customer")))


def _cells(_: Scope, rows: list[NobodyCount]) -> Iterator[list[Any]]:
    for row in rows:
        seen = [number(row.times), when(row.first_at), when(row.last_at)]
        yield [row.customer_id, row.pixel_id, row.kind, row.why, *seen, mono(", ".join(row.examples))]


LOG = Log(
    title="Ids of nobody",
    headers=["Customer", "Pixel", "Kind", "Why", "Times", "First", "Last", "Examples"],
    ordering=("-last_at", "-customer_id", "-pixel_id", "-kind", "-why"),
    form=NobodyFilterForm,
    find=_find,
    cells=_cells,
)


@permission_required("profiles.view_attribute", raise_exception=True)
def ids_of_nobody(request: HttpRequest) -> HttpResponse:
    return LOG.show(request)
