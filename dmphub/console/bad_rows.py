"""What was accepted and cannot be used: read it, mend the cause, replay it."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.html import format_html
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from dmphub.api.bad_rows import ID, kind_name, parse_id, text_of
from dmphub.console.cells import Table, excerpt, table, when
from dmphub.console.turning import turn
from edge.console import page
from edge.models import BadRow, Customer
from pipeline.bad_rows import replay


class BadRowFilterForm(forms.Form):
    customer = forms.ModelChoiceField(
        Customer.objects.all(), required=False, empty_label="any", widget=UnfoldAdminSelectWidget
    )
    reason = forms.CharField(required=False, label="Reason contains", widget=UnfoldAdminTextInputWidget)


@permission_required("edge.view_badrow", raise_exception=True)
def bad_rows(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        return _replay(request)
    form = BadRowFilterForm(request.GET)
    chosen = form.cleaned_data if form.is_valid() else {}
    rows = BadRow.objects.all()
    if chosen.get("customer"):
        rows = rows.filter(customer_id=chosen["customer"].pk)
    if chosen.get("reason"):
        rows = rows.filter(reason__icontains=chosen["reason"])
    found, ways = turn(request, rows, "-failed_at", "-bucket", "-id")
    may_replay = request.user.has_perm("edge.change_badrow")
    return page(
        request, "log.html", "Bad rows", form=form, table=_table(found), ways=ways, replay=may_replay and bool(found)
    )


def _replay(request: HttpRequest) -> HttpResponse:
    if not request.user.has_perm("edge.change_badrow"):
        raise PermissionDenied
    chosen = [parse_id(text) for text in request.POST.getlist("row") if ID.fullmatch(text)]
    messages.success(request, f"{replay(chosen)} rows are back in the inbox." if chosen else "No row was chosen.")
    return HttpResponseRedirect(request.get_full_path())


def _table(rows: list[Any]) -> Table:
    headers = ["", "Failed", "Received", "Customer", "Kind", "Reason", "Request", "Data"]
    return table(headers, [_cells(row) for row in rows])


def _cells(row: BadRow) -> list[Any]:
    box = '<input type="checkbox" name="row" value="{}-{}" form="replay" aria-label="choose">'
    return [
        format_html(box, row.bucket, row.id),
        when(row.failed_at),
        when(row.received_at),
        row.customer_id or "",
        kind_name(row.kind),
        excerpt(row.reason),
        excerpt(text_of(row.query)),
        excerpt(text_of(row.body)),
    ]
