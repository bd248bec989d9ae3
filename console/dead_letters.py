"""What platforms finally refused: read why, mend the cause, send it again."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.html import format_html
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from activation import dead_letters as letters
from activation.models import Activation, DeadLetter
from console.cells import Table, excerpt, mono, number, table, when
from console.components import page
from console.paging import paginate


class DeadLetterFilterForm(forms.Form):
    activation = forms.ModelChoiceField(
        Activation.objects.select_related("audience", "platform"),
        required=False,
        empty_label="any",
        widget=UnfoldAdminSelectWidget,
    )
    reason = forms.CharField(required=False, label="Reason contains", widget=UnfoldAdminTextInputWidget)

    def rows(self) -> QuerySet[DeadLetter]:
        """Those that were asked for: none where that cannot be read."""
        if not self.is_valid():
            return DeadLetter.objects.none()
        activation, reason = self.cleaned_data["activation"], self.cleaned_data["reason"]
        found = DeadLetter.objects.filter(reason__icontains=reason)
        return found if activation is None else found.filter(activation_id=activation.pk)


@permission_required("activation.view_deadletter", raise_exception=True)
def dead_letters(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        return _replay(request)
    form = DeadLetterFilterForm(request.GET)
    found, ways = paginate(request, form.rows(), "-died_at", "-bucket", "-activation_id", "-platform_user_id")
    may_replay = request.user.has_perm("activation.change_deadletter")
    return page(
        request,
        "log.html",
        "Dead letters",
        form=form,
        table=_table(found),
        ways=ways,
        replay=may_replay and bool(found),
    )


def _replay(request: HttpRequest) -> HttpResponse:
    if not request.user.has_perm("activation.change_deadletter"):
        raise PermissionDenied
    if "all" in request.POST:
        sent = letters.replay(DeadLetterFilterForm(request.GET).rows())
    else:
        sent = letters.replay(letters.named(DeadLetter.objects.all(), _chosen(request.POST.getlist("row"))))
    messages.success(request, f"{sent} are sent again, as they are wanted today." if sent else "None was chosen.")
    return HttpResponseRedirect(request.get_full_path())


def _chosen(names: list[str]) -> list[letters.Key]:
    keys = []
    for name in names:
        try:
            keys.append(letters.key(name))
        except ValueError:
            continue
    return keys


def _table(rows: list[Any]) -> Table:
    names = Activation.objects.select_related("audience", "platform").in_bulk({row.activation_id for row in rows})
    headers = ["", "Died", "Activation", "Platform's id", "Operation", "Attempts", "Reason", "Response"]
    return table(headers, [_cells(row, names) for row in rows])


def _cells(row: DeadLetter, names: dict[int, Activation]) -> list[Any]:
    box = '<input type="checkbox" name="row" value="{}" form="replay" aria-label="choose">'
    return [
        format_html(box, letters.name(row)),
        when(row.died_at),
        names.get(row.activation_id, row.activation_id),
        mono(row.platform_user_id),
        row.operation,
        number(row.attempts),
        excerpt(row.reason),
        excerpt(row.response_excerpt),
    ]
