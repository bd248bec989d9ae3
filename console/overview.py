"""The state of the hub: the console's first page, and the page of the pipeline."""

from typing import Any

from django.http import HttpRequest, HttpResponse

from activation import services as activations
from activation.models import Activation
from audiences import services as audiences
from audiences.models import Audience
from console.access import access_of, scope_of
from console.cells import Table, link, number, share, state, table
from console.components import admin_address, page
from core.access import Right
from core.scope import Scope
from pipeline import backlog

MOST = 50
FIGURES = {
    "inbox": ("Inbox", "accepted, not yet absorbed"),
    "rechecks_due": ("Rechecks", "memberships that time may have changed"),
    "building": ("Building", "audiences not yet built"),
    "deliveries_due": ("Deliveries due", "changes to send, retries included"),
    "in_flight": ("In flight", "changes being sent"),
}


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Unfold's DASHBOARD_CALLBACK."""
    shown: dict[str, Any] = {"figures": _figures(request) if access_of(request).may(Right.READ) else []}
    if request.user.has_perm("audiences.view_audience"):
        shown["audiences"] = _audiences(scope_of(request))
    if request.user.has_perm("activation.view_activation"):
        shown["activations"] = _activations(scope_of(request))
    return {**context, **shown, "title": "Overview", "most": MOST}


def _figures(request: HttpRequest) -> list[dict[str, str]]:
    return _shown(backlog.counts(scope_of(request)))


def _shown(counts: dict[str, int]) -> list[dict[str, str]]:
    return [{"title": title, "value": number(counts[name]), "hint": hint} for name, (title, hint) in FIGURES.items()]


def _audiences(scope: Scope) -> Table:
    rows = list(scope.of(Audience).select_related("customer").order_by("-updated_at")[:MOST])
    sizes = audiences.sizes([row.pk for row in rows])
    return table(
        ["Audience", "Customer", "Members", "Status"],
        [
            (link(admin_address(row), row.name), row.customer.name, number(sizes.get(row.pk, 0)), state(row.status))
            for row in rows
        ],
    )


def _activations(scope: Scope) -> Table:
    rows = list(scope.of(Activation).select_related("audience", "platform").order_by("-created_at")[:MOST])
    counts = activations.counts_of(rows)
    cells = [_activation(row, counts[row.pk]) for row in rows]
    return table(["Activation", "Wanted", "Acknowledged", "", "Status"], cells)


def _activation(row: Activation, counts: dict[str, int]) -> list[Any]:
    wanted, acknowledged = counts["wanted"], counts["acknowledged"]
    return [
        link(admin_address(row), row),
        number(wanted),
        number(acknowledged),
        share(acknowledged, wanted),
        state(row.status),
    ]


def pipeline(request: HttpRequest) -> HttpResponse:
    """What is under way, refreshed while it is looked at."""
    counts = backlog.counts(scope_of(request))
    return page(request, "pipeline.html", "Pipeline", figures=_shown(counts), busy=any(counts.values()))
