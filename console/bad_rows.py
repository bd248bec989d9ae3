"""What was accepted and cannot be used: read it, mend the cause, replay it."""

from collections.abc import Iterator
from typing import Any

from django import forms
from django.contrib.auth.decorators import permission_required
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from console.cells import excerpt, when
from console.fields import choose_any_row, moment_field, text_field
from console.logs import Filter, Log, Replay, choice_box, key, where
from core.models import BadRow, Customer
from pipeline.bad_rows import NAME, key_of, kind_of, name_of, replay, replay_all, text_of


class BadRowFilterForm(forms.Form):
    customer = choose_any_row(Customer.objects.all())
    reason = text_field("Reason contains")
    failed_after = moment_field("Failed after")
    failed_before = moment_field("Failed before")


def _find(wanted: Filter) -> QuerySet[BadRow]:
    return where(
        BadRow.objects.all(),
        customer_id=key(wanted.get("customer")),
        reason__icontains=wanted.get("reason"),
        failed_at__gte=wanted.get("failed_after"),
        failed_at__lt=wanted.get("failed_before"),
    )


def _cells(rows: list[BadRow]) -> Iterator[list[Any]]:
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
        named=lambda names: replay(key_of(name) for name in names if NAME.fullmatch(name)),
        done="rows are back in the inbox.",
        none="No row was chosen.",
    ),
)


@permission_required("core.view_badrow", raise_exception=True)
def bad_rows(request: HttpRequest) -> HttpResponse:
    return LOG.show(request)
