"""What was accepted and cannot be used: read it, mend the cause, replay it."""

from collections.abc import Iterator
from typing import Any

from django.contrib.auth.decorators import permission_required
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from console.cells import excerpt, when
from console.fields import choose_any_row, moment_field, text_field
from console.logs import Filter, Log, Replay, choice_box, key, where
from console.scoped import ScopedForm
from core.models import BadRow, Customer
from core.scope import Scope
from pipeline.bad_rows import is_name, key_of, kind_of, name_of, replay, replay_all, text_of


class BadRowFilterForm(ScopedForm):
    customer = choose_any_row(Customer)
    reason = text_field("Reason contains")
    failed_after = moment_field("Failed after")
    failed_before = moment_field("Failed before")


def _find(scope: Scope, wanted: Filter) -> QuerySet[BadRow]:
    return where(
        scope.of(BadRow),
        customer_id=key(wanted.get("customer")),
        reason__icontains=wanted.get("reason"),
        failed_at__gte=wanted.get("failed_after"),
        failed_at__lt=wanted.get("failed_before"),
    )


def _cells(_: Scope, rows: list[BadRow]) -> Iterator[list[Any]]:
    for row in rows:
        yield [
            choice_box(name_of(row)),
            when(row.failed_at),
            when(row.received_at),
            row.customer_id or "",
            kind_of(row),
            excerpt(row.reason),
            excerpt(text_of(row.query)),
            excerpt(text_of(row.body)),
        ]


def _replay_named(scope: Scope, names: list[str]) -> int:
    seen = scope.of(BadRow).filter(pk__in=[key_of(name) for name in names if is_name(name)])
    return replay(list(seen.values_list("bucket", "id")))


LOG = Log(
    title="Bad rows",
    headers=["", "Failed", "Received", "Customer", "Kind", "Reason", "Request", "Data"],
    ordering=("-failed_at", "-bucket", "-id"),
    form=BadRowFilterForm,
    find=_find,
    cells=_cells,
    replay=Replay(
        permission="core.change_badrow",
        every=lambda rows, _: replay_all(rows),
        named=_replay_named,
        done="rows are back in the inbox.",
        none="No row was chosen.",
    ),
)


@permission_required("core.view_badrow", raise_exception=True)
def bad_rows(request: HttpRequest) -> HttpResponse:
    return LOG.show(request)
