"""The pages of static audiences: made here, and their lists changed by pasted ids or by a file of ids."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from audiences import listing, services
from audiences.listing import MOST_IDS, USER_KEYS, USERS, ChangeCounts, ListedIds
from audiences.models import Audience, ListChange
from audiences.services import AudienceInUseError
from console.access import scope_of
from console.cells import Table, link, number, state, table, when
from console.components import page
from console.fields import choose_row
from console.logs import paginate
from console.scoped import ScopedForm, row_or_404
from core.configuration import is_taken
from core.models import Customer

VIEW, CHANGE = "audiences.view_audience", "audiences.change_audience"
MOST_SHOWN = 20  # refused lines
MOST_BYTES = 64 * 1024 * 1024  # of a file of ids; larger ones are imports


class NewListForm(ScopedForm):
    customer = choose_row(Customer)
    name = forms.CharField(max_length=255, widget=UnfoldAdminTextInputWidget)

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        if "customer" in given and "name" in given and is_taken(Audience, given, None):
            self.add_error("name", "is taken already")
        return given


class IdsForm(forms.Form):
    action = forms.ChoiceField(
        choices=[("add", "Add to the list"), ("remove", "Take off the list")], widget=UnfoldAdminSelectWidget
    )
    kind = forms.ChoiceField(
        label="The ids are",
        choices=[(USER_KEYS, "your own user ids"), (USERS, "the hub's user ids")],
        widget=UnfoldAdminSelectWidget,
    )
    ids = forms.CharField(
        label=f"Ids, one a line (at most {MOST_IDS:,})",
        required=False,
        strip=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 6, "class": "hub-code", "spellcheck": "false"}),
    )
    file = forms.FileField(
        label="Or a file of ids, one a line",
        required=False,
        widget=forms.ClearableFileInput(attrs={"class": "hub-file", "accept": ".txt,.csv"}),
    )

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        file, ids = given.get("file"), (given.get("ids") or "").strip()
        if bool(file) == bool(ids):
            raise forms.ValidationError("Paste ids, or choose a file of them.")
        if file and file.size > MOST_BYTES:
            self.add_error("file", "is too large for this page: make an import of it")
        if ids and len(ids.splitlines()) > MOST_IDS:
            self.add_error("ids", f"are more than {MOST_IDS:,}: send them as a file")
        return given

    def parts(self) -> Iterator[list[str]]:
        """Yield the ids, as many at once as one change may have."""
        file = self.cleaned_data["file"]
        lines: Iterable[str] = self.cleaned_data["ids"].splitlines()
        if file:
            lines = (raw.decode("utf-8-sig", "replace").strip().strip('"') for raw in file)
        rest = iter(lines)
        while part := list(islice(rest, MOST_IDS)):
            yield part


@permission_required(VIEW, raise_exception=True)
def static_lists(request: HttpRequest) -> HttpResponse:
    form = NewListForm(scope_of(request), request.POST if request.method == "POST" else None)
    may_add = request.user.has_perm(CHANGE)
    if request.method == "POST":
        if not may_add:
            raise PermissionDenied
        if form.is_valid():
            made = listing.create_static(**form.cleaned_data, by=request.user.get_username())
            return HttpResponseRedirect(reverse("console:static-list", args=[made.pk]))
    rows = scope_of(request).of(Audience).filter(kind=Audience.Kind.STATIC).select_related("customer")
    shown, ways = paginate(request, rows, "-id")
    return page(
        request,
        "static_lists.html",
        "Static audiences",
        form=form,
        verb="Make it",
        may_add=may_add,
        table=_lists(shown),
        ways=ways,
    )


def _lists(rows: list[Any]) -> Table:
    sizes = services.sizes([row.pk for row in rows])
    names = [link(reverse("console:static-list", args=[row.pk]), row.name) for row in rows]
    cells = [
        (name, str(row.customer), state(row.status), number(sizes[row.pk]), when(row.updated_at))
        for name, row in zip(names, rows, strict=True)
    ]
    return table(["Audience", "Customer", "Status", "Members", "Changed"], cells)


@permission_required(VIEW, raise_exception=True)
def static_list(request: HttpRequest, pk: int) -> HttpResponse:
    """One list: who is added or removed, and what became of earlier changes."""
    audience = row_or_404(request, Audience, pk)
    may_add = request.user.has_perm(CHANGE) and audience.kind == Audience.Kind.STATIC
    form = IdsForm(request.POST, request.FILES) if request.method == "POST" else IdsForm()
    refused: list[Any] = []
    if request.method == "POST":
        if not may_add:
            raise PermissionDenied
        if form.is_valid():
            refused = _changed(request, audience, form)
            if not refused:
                return HttpResponseRedirect(request.get_full_path())
    rows, ways = paginate(request, scope_of(request).of(ListChange).filter(audience=audience), "-id")
    shown: dict[str, Any] = {"form": form, "verb": "Change the list", "may_add": may_add, "refused": refused}
    buttons = [(name, reverse(f"admin:audiences_audience_{name}", args=[pk])) for name in ("pause", "resume", "remove")]
    return page(
        request,
        "static_list.html",
        f"The list of “{audience.name}”",
        audience=audience,
        size=number(services.size(audience)),
        state=state(audience.status),
        buttons=buttons if may_add else [],
        table=_changes(rows),
        ways=ways,
        **shown,
    )


def _changed(request: HttpRequest, audience: Audience, form: IdsForm) -> list[Any]:
    """Send the ids on, part by part; returns rows of a table of those that were refused."""
    given, refused = 0, list[Any]()
    line = 0
    for part in form.parts():
        ids = listing.read_ids(audience.customer, form.cleaned_data["kind"], part)
        refused += [(line + one.line, one.message) for one in ids.refused]
        line += len(part)
        given += _send(request, audience, form.cleaned_data["action"], ids)
    messages.success(request, f"{given:,} ids are on their way. What becomes of them stands below.")
    if not refused:
        return []
    more = [("…", f"{len(refused) - MOST_SHOWN:,} more")] if len(refused) > MOST_SHOWN else []
    return [table(["Line", "Why it was left out"], [*refused[:MOST_SHOWN], *more])]


def _send(request: HttpRequest, audience: Audience, action: str, ids: ListedIds) -> int:
    try:
        listing.change_list(audience, action, ids, by=request.user.get_username())
    except AudienceInUseError as why:
        messages.error(request, f"{why}.")
        return 0
    return len(ids.good)


def _changes(rows: list[Any]) -> Table:
    counts = listing.counts_of([row.pk for row in rows])
    headers = ["At", "By", "Change", "Ids", "Left out", "Changed", "As before", "Unknown", "Done"]
    return table(headers, [_cells(row, counts[row.pk]) for row in rows])


def _cells(row: ListChange, counts: ChangeCounts) -> list[Any]:
    is_done = row.given is not None and counts.all >= row.given
    numbers = [number(one) for one in (row.given or 0, row.refused, counts.changed, counts.unchanged, counts.unknown)]
    return [when(row.at), row.by, row.action, *numbers, state("yes" if is_done else "running")]
