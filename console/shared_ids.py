"""Shared ids: ids that too many share, as a test account, or a device that reports the same id everywhere."""

from collections.abc import Iterator
from typing import Any

from django.contrib.auth.decorators import permission_required
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from console.cells import link, mono, number, when
from console.fields import choose_any_row
from console.logs import Filter, Log, key, where
from console.scoped import ScopedForm
from core.models import Customer
from core.scope import Scope
from profiles.models import SharedId


class SharedIdFilterForm(ScopedForm):
    customer = choose_any_row(Customer)


def _find(scope: Scope, wanted: Filter) -> QuerySet[SharedId]:
    return where(scope.of(SharedId), customer_id=key(wanted.get("customer")))


def _cells(_: Scope, rows: list[SharedId]) -> Iterator[list[Any]]:
    for row in rows:
        story = f"{reverse('console:look-up')}?customer={row.customer_id}&id={row.user_id}"
        seen = [number(row.times), when(row.first_at), when(row.last_at)]
        yield [row.customer_id, row.kind, mono(row.value), *seen, link(story, mono(row.user_id))]


LOG = Log(
    title="Shared ids",
    headers=["Customer", "Kind", "Id", "Times", "First", "Last", "User who has too many"],
    ordering=("-last_at", "-bucket", "-customer_id", "-user_id", "-kind", "-value"),
    form=SharedIdFilterForm,
    find=_find,
    cells=_cells,
)


@permission_required("profiles.view_profile", raise_exception=True)
def shared_ids(request: HttpRequest) -> HttpResponse:
    return LOG.show(request)
