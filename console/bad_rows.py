"""What was accepted and cannot be used: read it, mend the cause, replay it."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.html import format_html
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from console.cells import Table, excerpt, table, when
from console.components import page
from console.moments import moment_field
from console.paging import paginate
from core.models import BadRow, Customer
from pipeline.bad_rows import NAME, key_of, kind_of, name_of, replay, replay_all, text_of


class BadRowFilterForm(forms.Form):
    customer = forms.ModelChoiceField(
        Customer.objects.all(), required=False, empty_label="any", widget=UnfoldAdminSelectWidget
    )
    reason = forms.CharField(required=False, label="Reason contains", widget=UnfoldAdminTextInputWidget)
    failed_after = moment_field("Failed after")
    failed_before = moment_field("Failed before")

    def rows(self) -> QuerySet[BadRow]:
        """Those that were asked for: none where that cannot be read."""
        if not self.is_valid():
            return BadRow.objects.none()
        chosen = self.cleaned_data
        asked = {
            "customer_id": chosen["customer"].pk if chosen.get("customer") else None,
            "reason__icontains": chosen.get("reason"),
            "failed_at__gte": chosen.get("failed_after"),
            "failed_at__lt": chosen.get("failed_before"),
        }
        return BadRow.objects.filter(**{name: value for name, value in asked.items() if value})


@permission_required("core.view_badrow", raise_exception=True)
def bad_rows(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        return _replay(request)
    form = BadRowFilterForm(request.GET)
    found, ways = paginate(request, form.rows(), "-failed_at", "-bucket", "-id")
    may_replay = request.user.has_perm("core.change_badrow")
    return page(
        request, "log.html", "Bad rows", form=form, table=_table(found), ways=ways, replay=may_replay and bool(found)
    )


def _replay(request: HttpRequest) -> HttpResponse:
    if not request.user.has_perm("core.change_badrow"):
        raise PermissionDenied
    if "all" in request.POST:
        replayed = replay_all(BadRowFilterForm(request.GET).rows())
    else:
        replayed = replay(key_of(text) for text in request.POST.getlist("row") if NAME.fullmatch(text))
    messages.success(request, f"{replayed} rows are back in the inbox." if replayed else "No row was chosen.")
    return HttpResponseRedirect(request.get_full_path())


def _table(rows: list[Any]) -> Table:
    headers = ["", "Failed", "Received", "Customer", "Kind", "Reason", "Request", "Data"]
    return table(headers, [_cells(row) for row in rows])


def _cells(row: BadRow) -> list[Any]:
    box = '<input type="checkbox" name="row" value="{}" form="replay" aria-label="choose">'
    return [
        format_html(box, name_of(row)),
        when(row.failed_at),
        when(row.received_at),
        row.customer_id or "",
        kind_of(row),
        excerpt(row.reason),
        excerpt(text_of(row.query)),
        excerpt(text_of(row.body)),
    ]
