"""Suspect ids: ids that suddenly named very many browsers. A person says what they are."""

from collections.abc import Iterator
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from console.access import scope_of
from console.cells import link, mono, number, state, when
from console.components import page
from console.fields import choose_any_row
from console.logs import Filter, Log, key, where
from console.scoped import ScopedForm
from core.models import Customer
from core.scope import Scope
from profiles.judging import FullListError, IdName, judge, read_name, suspects_among
from profiles.models import WatchedId

GOOD = "This id is one person's? The profiles that wait are merged by it, and it is not suspect any more."
BAD = "This id names nobody? It is added to the customer's words for nobody, and taken from everybody who has it."
_QUESTIONS = {"good": ("One person's", GOOD), "bad": ("Nobody's", BAD)}


class SuspectIdFilterForm(ScopedForm):
    customer = choose_any_row(Customer)


def _find(scope: Scope, wanted: Filter) -> QuerySet[WatchedId]:
    return where(suspects_among(scope.of(WatchedId)), customer_id=key(wanted.get("customer")))


def _cells(_: Scope, rows: list[WatchedId]) -> Iterator[list[Any]]:
    for row in rows:
        name = str(IdName(row.customer_id, row.kind, row.value))
        buttons = [
            link(reverse("console:judge-id", args=[name, verdict]), _QUESTIONS[verdict][0]) for verdict in _QUESTIONS
        ]
        seen = [number(len(row.seen)), number(row.waiting), when(row.suspect_at)]
        yield [row.customer_id, row.kind, mono(row.value), *seen, state(row.verdict or "suspect"), *buttons]


LOG = Log(
    title="Suspect ids",
    headers=["Customer", "Kind", "Id", "Browsers", "Waiting merges", "Suspect since", "Verdict", "", ""],
    ordering=("-suspect_at", "-bucket", "-customer_id", "-kind", "-value"),
    form=SuspectIdFilterForm,
    find=_find,
    cells=_cells,
)


@permission_required("profiles.view_profile", raise_exception=True)
def suspect_ids(request: HttpRequest) -> HttpResponse:
    return LOG.show(request)


@permission_required(("profiles.view_profile", "profiles.change_profile"), raise_exception=True)
def judge_id(request: HttpRequest, name: str, verdict: str) -> HttpResponse:
    named = read_name(name)
    rows = suspects_among(scope_of(request).of(WatchedId))
    row = named and rows.filter(customer_id=named.customer, kind=named.kind, value=named.value).first()
    if not row or verdict not in _QUESTIONS:
        raise Http404
    verb, question = _QUESTIONS[verdict]
    back = reverse("console:suspect-ids")
    if request.method != "POST":
        return page(request, "confirm.html", "Judge an id", verb=verb, question=question, row=row.value, back=back)
    try:
        judge(row, good=verdict == "good")
        messages.success(request, "The id is judged.")
    except FullListError:
        messages.error(request, "The customer has as many words for nobody as there may be.")
    return HttpResponseRedirect(back)
