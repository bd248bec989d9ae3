"""Exporting and erasing a user from the look-up page, and the proof of those who were erased."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import reverse

from console.cells import mono, state, when
from console.components import page
from console.logs import Filter, Log
from console.scoped import customer_or_404
from core.scope import Scope
from integrations.models import Platform
from pipeline.models import Erasure
from pipeline.privacy import erasures
from pipeline.privacy.export import export

QUESTION = (
    "Erase this user for good: the profile, every id, everything in logs and files? The platforms are told to remove"
    " the user's ids. It cannot be undone."
)


@permission_required("profiles.view_profile", raise_exception=True)
def export_user(request: HttpRequest, customer: int, user_id: UUID) -> HttpResponse:
    found = export(customer_or_404(request, customer), user_id)
    if found is None:
        raise Http404
    answer = JsonResponse(found, json_dumps_params={"indent": 1, "ensure_ascii": False})
    answer["Content-Disposition"] = f'attachment; filename="user-{user_id}.json"'
    return answer


@permission_required("profiles.delete_profile", raise_exception=True)
def erase_user(request: HttpRequest, customer: int, user_id: UUID) -> HttpResponse:
    customer_or_404(request, customer)
    if request.method != "POST":
        back = f"{reverse('console:look-up')}?customer={customer}&id={user_id}"
        return page(request, "confirm.html", "Erase a user", verb="Erase", question=QUESTION, row=user_id, back=back)
    erasures.request(customer, user_id, f"{request.user.get_username()} in the console")
    messages.success(request, "The user is being erased; here is how far it has come.")
    return HttpResponseRedirect(reverse("console:erasures"))


def _find_erasures(scope: Scope, _: Filter) -> QuerySet[Erasure]:
    return scope.of(Erasure)


def _erasure_rows(scope: Scope, rows: list[Erasure]) -> Iterator[list[Any]]:
    names = scope.of(Platform).in_bulk()
    return (_erasure_cells(row, names) for row in rows)


def _erasure_cells(row: Erasure, names: dict[int, Platform]) -> list[Any]:
    answers = [
        f"{names.get(int(platform), platform)}: {', '.join(f'{ids} {what}' for what, ids in sorted(noted.items()))}"
        for platform, noted in sorted(row.platforms.items())
    ]
    return [
        when(row.requested_at),
        row.requested_by,
        row.customer_id,
        state(row.state),
        "; ".join(answers) or "none had an id",
        when(row.finished_at),
        mono(row.id),
    ]


ERASURES = Log(
    title="Erasures",
    headers=["Requested", "By", "Customer", "State", "Platforms", "Finished", "Proof"],
    ordering=("-requested_at", "-id"),
    find=_find_erasures,
    cells=_erasure_rows,
)


@permission_required("profiles.delete_profile", raise_exception=True)
def erasure_list(request: HttpRequest) -> HttpResponse:
    return ERASURES.show(request)
