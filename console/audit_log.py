"""The audit log in the console."""

from collections.abc import Iterator
from typing import Any

from django import forms
from django.contrib.auth.decorators import permission_required
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.widgets import UnfoldAdminIntegerFieldWidget

from console.cells import excerpt, json_text, when
from console.fields import choose_any, moment_field, text_field
from console.logs import Filter, Log, where
from console.scoped import ScopedForm
from core.models import AuditEntry
from core.scope import Scope


class AuditFilterForm(ScopedForm):
    customer = forms.IntegerField(
        required=False, min_value=0, max_value=2**31 - 1, widget=UnfoldAdminIntegerFieldWidget()
    )
    actor_kind = choose_any(AuditEntry.ActorKind.choices)
    actor = text_field("Who")
    action = text_field("Action")
    object = text_field("What", placeholder="platform, audience, api_key …")
    object_number = text_field("Its number")
    since = moment_field("From")
    until = moment_field("Until")


def _find(scope: Scope, wanted: Filter) -> QuerySet[AuditEntry]:
    return where(
        scope.of(AuditEntry),
        customer_id=wanted.get("customer"),
        actor_kind=wanted.get("actor_kind"),
        actor__icontains=wanted.get("actor"),
        action=wanted.get("action"),
        object=wanted.get("object"),
        object_number=wanted.get("object_number"),
        at__gte=wanted.get("since"),
        at__lt=wanted.get("until"),
    )


def _cells(_: Scope, rows: list[AuditEntry]) -> Iterator[list[Any]]:
    for row in rows:
        yield [
            when(row.at),
            f"{row.actor or row.actor_kind}",
            f"{row.actor_kind}, {row.door}",
            row.address,
            row.customer_id or "",
            row.action,
            excerpt(f"{row.object} {row.object_number} {row.name}".strip()),
            "" if row.before is None else json_text(row.before),
            "" if row.after is None else json_text(row.after),
        ]


LOG = Log(
    title="Audit log",
    headers=["When", "Who", "As", "From", "Customer", "Action", "What", "Before", "After"],
    ordering=("-id",),
    form=AuditFilterForm,
    find=_find,
    cells=_cells,
)


@permission_required("core.view_auditentry", raise_exception=True)
def audit_log(request: HttpRequest) -> HttpResponse:
    """Every change that concerns the person's customers: who, what, when and from where."""
    return LOG.show(request)
