"""Ids that too many share: a test account, a device that reports the same id everywhere."""

from typing import Any

from django import forms
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from unfold.widgets import UnfoldAdminSelectWidget

from console.cells import link, mono, number, table, when
from console.components import page
from console.paging import paginate
from core.models import Customer
from profiles.models import HotId


class HotIdFilterForm(forms.Form):
    customer = forms.ModelChoiceField(
        Customer.objects.all(), required=False, empty_label="any", widget=UnfoldAdminSelectWidget
    )


@permission_required("profiles.view_profile", raise_exception=True)
def hot_ids(request: HttpRequest) -> HttpResponse:
    form = HotIdFilterForm(request.GET)
    customer = form.cleaned_data.get("customer") if form.is_valid() else None
    rows = HotId.objects.all() if customer is None else HotId.objects.filter(customer_id=customer.pk)
    found, ways = paginate(request, rows, "-last_at", "-bucket", "-customer_id", "-user_id", "-kind", "-value")
    headers = ["Customer", "Kind", "Id", "Times", "First", "Last", "User who has too many"]
    return page(
        request, "log.html", "Hot ids", form=form, table=table(headers, [_cells(row) for row in found]), ways=ways
    )


def _cells(row: Any) -> list[Any]:
    story = f"{reverse('console:look-up')}?customer={row.customer_id}&id={row.user_id}"
    return [
        row.customer_id,
        row.kind,
        mono(row.value),
        number(row.times),
        when(row.first_at),
        when(row.last_at),
        link(story, mono(row.user_id)),
    ]
