"""The page of exports: members of an audience as a file, at once or on a schedule."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.urls import reverse
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from audiences.models import Audience
from console.access import number_of, scope_of
from console.cells import Table, link, number, state, table, when
from console.components import page
from console.fields import choose_any_row, choose_row
from console.logs import paginate
from console.scoped import ScopedForm, row_or_404
from core import audit
from integrations.models import Platform
from pipeline.exports import files, services
from pipeline.exports.formats import MEDIA_TYPES
from pipeline.models import Export, ExportRun

VIEW = "audiences.view_audience"
MAKE = ("audiences.change_audience", "profiles.view_profile")
DOWNLOAD = (VIEW, "profiles.view_profile")
EVERY = [("", "once"), ("60", "every hour"), ("1440", "every day"), ("10080", "every week")]


class ExportForm(ScopedForm):
    audience = choose_row(Audience, "customer")
    name = forms.CharField(label="Name of the files", max_length=100, widget=UnfoldAdminTextInputWidget)
    format = forms.ChoiceField(choices=Export.Format.choices, widget=UnfoldAdminSelectWidget)
    platform = choose_any_row(Platform, "customer")
    every_minutes = forms.ChoiceField(label="How often", choices=EVERY, required=False, widget=UnfoldAdminSelectWidget)
    fields_ = forms.CharField(
        label="Fields, one a line: user_id, since, attribute.City, dimension._geo_c",
        initial="user_id",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 4, "class": "hub-code", "spellcheck": "false"}),
    )

    def __init__(self, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        self.fields["platform"].label = "Put where this platform's files are put (any: keep for download)"

    def make(self, by: str) -> Export | None:
        """Make the export; None where the form shows what is wrong."""
        if not self.is_valid():
            return None
        said = {**self.cleaned_data}
        audience, platform, every = said.pop("audience"), said.pop("platform"), said.pop("every_minutes")
        said["fields"] = [line.strip() for line in said.pop("fields_").splitlines() if line.strip()]
        said["every_minutes"] = int(every) if every else None
        try:
            return services.create(audience, said, platform, by=by)
        except ValidationError as wrong:
            faults = wrong.message_dict if hasattr(wrong, "error_dict") else {None: wrong.messages}
            for name, words in faults.items():
                self.add_error({"fields": "fields_"}.get(name or "", name), words)
            return None


@permission_required(VIEW, raise_exception=True)
def exports(request: HttpRequest) -> HttpResponse:
    scope, may_add = scope_of(request), request.user.has_perms(MAKE)
    form = ExportForm(scope, initial={"audience": number_of(request.GET.get("audience", ""))})
    if request.method == "POST":
        if not may_add:
            raise PermissionDenied
        if "change" in request.POST:
            return _change(request)
        form = ExportForm(scope, request.POST)
        made = form.make(request.user.get_username())
        if made is not None:
            messages.success(request, f"{made.name} is being made.")
            return HttpResponseRedirect(reverse("console:exports"))
    rows, ways = paginate(request, scope.of(Export).select_related("audience", "platform"), "-id")
    shown: dict[str, Any] = {"form": form, "verb": "Export", "may_add": may_add, "ways": ways}
    return page(request, "exports.html", "Exports", table=_table(request, rows, may_add=may_add), **shown)


def _change(request: HttpRequest) -> HttpResponse:
    row = row_or_404(request, Export, request.POST.get("export", "0"))
    match request.POST["change"]:
        case "run":
            services.run_now(row)
        case "pause" | "go on" as word:
            services.change(row, {"paused": word == "pause"})
        case "delete":
            services.delete(row)
    return HttpResponseRedirect(reverse("console:exports"))


@permission_required(DOWNLOAD, raise_exception=True)
def export_file(request: HttpRequest, pk: int) -> HttpResponseBase:
    run = row_or_404(request, ExportRun, pk)
    path = files.kept_file(run.export.customer_id, run.pk)
    if not run.kept or not path.exists():
        raise Http404
    after = {"run": run.pk, "fields": run.export.fields}
    customer = run.export.customer_id
    audit.record("download", "export", run.export_id, run.export.name, customer=customer, after=after)
    media = MEDIA_TYPES[run.export.format]
    return FileResponse(path.open("rb"), as_attachment=True, filename=run.file_name, content_type=media)


def _table(request: HttpRequest, rows: list[Any], *, may_add: bool) -> Table:
    headers = ["Export", "Audience", "Fields", "Where to", "Next", "Last file", ""]
    newest = {run.export_id: run for run in scope_of(request).of(ExportRun).filter(export__in=rows).order_by("id")}
    return table(headers, [_cells(request, row, newest.get(row.pk), may_add=may_add) for row in rows])


def _cells(request: HttpRequest, row: Export, run: ExportRun | None, *, may_add: bool) -> list[Any]:
    changes = ["run", "go on" if row.paused else "pause", "delete"] if may_add else []
    return [
        f"{row.name} ({row.get_format_display()})",
        row.audience.name,
        ", ".join(row.fields) or "user_id",
        "kept for download" if row.platform is None else str(row.platform),
        "paused" if row.paused else when(row.due_at) or "—",
        "" if run is None else _last(request, run),
        render_to_string("console/export_buttons.html", {"row": row, "changes": changes}, request),
    ]


def _last(request: HttpRequest, run: ExportRun) -> Any:
    if run.error:
        return f"{run.status}: {run.error}"
    if run.status != ExportRun.Status.DONE:
        return state(run.status)
    text = f"{number(run.rows)} members, {when(run.finished_at)}"
    may_read = run.kept and request.user.has_perms(DOWNLOAD)
    return link(reverse("console:export-file", args=[run.pk]), f"{number(run.rows)} members") if may_read else text
