"""The delivery log: every request to a platform, newest first."""

from typing import Any

from django import forms
from django.contrib.auth.decorators import permission_required
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.widgets import UnfoldAdminSelectWidget

from activation.conditions import UploadedFile, fates_of
from activation.models import Activation, Batch
from console.cells import Table, excerpt, mono, number, state, table, unbroken, when
from console.components import page
from console.moments import moment_field
from console.paging import paginate
from integrations.models import Platform

ANY = [("", "any")]


class BatchFilterForm(forms.Form):
    platform = forms.ModelChoiceField(
        Platform.objects.all(), required=False, empty_label="any", widget=UnfoldAdminSelectWidget
    )
    activation = forms.ModelChoiceField(
        Activation.objects.select_related("audience", "platform"),
        required=False,
        empty_label="any",
        widget=UnfoldAdminSelectWidget,
    )
    status = forms.ChoiceField(choices=[*ANY, *Batch.Status.choices], required=False, widget=UnfoldAdminSelectWidget)
    started_after = moment_field("Started after")
    started_before = moment_field("Started before")

    def rows(self) -> QuerySet[Batch]:
        """Those that were asked for: none where that cannot be read."""
        if not self.is_valid():
            return Batch.objects.none()
        chosen = self.cleaned_data
        activation = chosen.get("activation")
        asked = {
            "platform_id": chosen["platform"].pk if chosen.get("platform") else None,
            "status": chosen.get("status"),
            "started_at__gte": chosen.get("started_after"),
            "started_at__lt": chosen.get("started_before"),
        }
        found = Batch.objects.filter(**{name: value for name, value in asked.items() if value})
        if activation is None:
            return found
        return found.filter(platform_id=activation.platform_id, activations__contains=activation.pk)


@permission_required("activation.view_batch", raise_exception=True)
def batches(request: HttpRequest) -> HttpResponse:
    form = BatchFilterForm(request.GET)
    rows, ways = paginate(request, form.rows(), "-started_at", "-bucket", "-id")
    return page(request, "log.html", "Batches", form=form, table=_table(rows), ways=ways)


def _table(rows: list[Any]) -> Table:
    names = Platform.objects.in_bulk({row.platform_id for row in rows})
    headers = [
        "Started",
        "Took",
        "Platform",
        "Operation",
        "Status",
        "Rows",
        "Requests",
        "Answer",
        "Request",
        "Response",
    ]
    fates = fates_of(row.id for row in rows)
    return table(headers, [_cells(row, names, fates.get(row.id)) for row in rows])


def _cells(row: Batch, names: dict[int, Platform], file: UploadedFile | None) -> list[Any]:
    took = f"{(row.finished_at - row.started_at).total_seconds():.3f} s" if row.finished_at else ""
    return [
        when(row.started_at),
        unbroken(took),
        names.get(row.platform_id, row.platform_id),
        row.operation,
        state(row.status),
        unbroken(f"{number(row.accepted)} of {number(row.rows)}"),
        number(row.requests),
        mono(row.response_status or ""),
        excerpt(row.request_excerpt),
        excerpt(f"{_told(file)}{row.error or row.response_excerpt}"),
    ]


def _told(file: UploadedFile | None) -> str:
    """What the platform's processing log says of the batch's file."""
    if file is None:
        return ""
    return f"{file.file_name}: {file.fate}{f' ({file.reason})' if file.reason else ''}\n"
