"""The page of imports: upload a file of profiles, see its progress and its errors."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldBooleanWidget

from console.access import scope_of
from console.cells import Table, health, link, number, share, table, unbroken, when
from console.components import page
from console.fields import choose_row
from console.logs import paginate
from console.scoped import RowField, ScopedForm, row_or_404
from core.errors import InputTooLargeError
from pipeline.health.words import of_import
from pipeline.imports import files, services
from pipeline.imports.errors import ImportStateError, UnreadableFileError
from pipeline.imports.formats import format_of
from pipeline.imports.options import ImportOptions, options_of
from pipeline.models import Import, ImportSchedule, ImportTemplate
from profiles.models import Pixel

Status = Import.Status
MOST_SCHEDULES = 100
UNDER_WAY = (Status.WAITING, Status.RUNNING)
CHANGES = {"start": (services.start, "is under way"), "cancel": (services.cancel, "is cancelled")}


class UploadForm(ScopedForm):
    pixel = choose_row(Pixel, "customer")
    template = RowField(ImportTemplate, "customer", required=False, empty_label="none", widget=UnfoldAdminSelectWidget)
    file = forms.FileField(
        label="File: CSV, NDJSON, Parquet or Excel, also .gz",
        widget=forms.ClearableFileInput(
            attrs={"class": "hub-file", "accept": ".csv,.tsv,.txt,.ndjson,.jsonl,.json,.parquet,.xlsx,.gz"}
        ),
    )
    dry_run = forms.BooleanField(
        label="Only look: say what would change", required=False, initial=True, widget=UnfoldBooleanWidget
    )

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        try:
            self.format = format_of(file.name)
        except UnreadableFileError as error:
            raise forms.ValidationError(str(error)) from None
        return file

    def clean(self) -> dict[str, Any]:
        said = super().clean() or self.cleaned_data
        template, pixel = said.get("template"), said.get("pixel")
        if template is not None and pixel is not None and template.customer_id != pixel.customer_id:
            self.add_error("template", "It is another customer's than the pixel.")
        return said

    def _options(self) -> ImportOptions:
        template = self.cleaned_data["template"]
        return options_of(template.options) if template is not None else ImportOptions()

    def keep(self) -> Import | None:
        """Keep the file and return its import; None where the form shows what is wrong."""
        if not self.is_valid():
            return None
        said = self.cleaned_data
        try:
            with files.draft_of(said["file"].chunks()) as draft:
                return services.keep_upload(
                    draft, said["pixel"], said["file"].name, self.format, self._options(), dry_run=said["dry_run"]
                )
        except InputTooLargeError as error:
            self.add_error("file", error.message)
            return None


@permission_required("pipeline.view_import", raise_exception=True)
def imports(request: HttpRequest) -> HttpResponse:
    may_add = request.user.has_perm("pipeline.add_import")
    form = UploadForm(scope_of(request))
    if request.method == "POST":
        if not may_add:
            raise PermissionDenied
        answer = _change(request) if "change" in request.POST else None
        form = UploadForm(scope_of(request), request.POST, request.FILES)
        if answer is None and (row := form.keep()) is not None:
            messages.success(request, f"{row.name} is uploaded.")
            answer = HttpResponseRedirect(reverse("console:imports"))
        if answer is not None:
            return answer
    rows, ways = paginate(request, scope_of(request).of(Import).select_related("pixel__customer"), "-id")
    busy = any(row.status in UNDER_WAY for row in rows)
    shown: dict[str, Any] = {
        "form": form,
        "may_add": may_add,
        "table": _table(request, rows, may_add=may_add),
        "schedules": _schedules(request),
        "ways": ways,
    }
    return page(request, "imports.html", "Imports", busy=busy, **shown)


@permission_required(["pipeline.view_import", "profiles.view_profile"], raise_exception=True)
def import_errors(request: HttpRequest, pk: int) -> HttpResponseBase:
    row = row_or_404(request, Import, pk)
    file, name = files.open_errors(row), files.errors_name(row)
    return FileResponse(file, as_attachment=True, filename=name, content_type="application/x-ndjson")


def _change(request: HttpRequest) -> HttpResponse:
    change, said = CHANGES.get(request.POST["change"], (None, ""))
    row = row_or_404(request, Import, request.POST.get("import", "0"))
    if change is not None:
        try:
            change(row)
            messages.success(request, f"The import of {row.name} {said}.")
        except ImportStateError as why:
            messages.error(request, f"{row.name}: {why}.")
    return HttpResponseRedirect(request.get_full_path())


def _schedules(request: HttpRequest) -> Table | None:
    """The schedules that the person sees; None where there are none."""
    rows = scope_of(request).of(ImportSchedule).select_related("pixel__customer", "platform").order_by("name")
    headers = ["Name", "From", "Files", "Pixel", "Looked", "Next", "What is wrong"]
    cells = [
        [
            row.name,
            row.platform.name,
            row.pattern,
            str(row.pixel),
            when(row.looked_at),
            when(row.due_at) if row.enabled else "paused",
            row.error,
        ]
        for row in rows[:MOST_SCHEDULES]
    ]
    return table(headers, cells) if cells else None


def _table(request: HttpRequest, rows: list[Any], *, may_add: bool) -> Table:
    headers = ["Uploaded", "File", "Pixel", "How it is doing", "Progress", "Rows", "Refused", "What came of it", ""]
    return table(headers, [_cells(request, row, may_add=may_add) for row in rows])


def _cells(request: HttpRequest, row: Import, *, may_add: bool) -> list[Any]:
    may_read = row.errors and request.user.has_perm("profiles.view_profile")
    errors = number(row.errors)
    refused = link(reverse("console:import-errors", args=[row.pk]), errors) if may_read else errors
    changes = _changes(row) if may_add else []
    buttons = render_to_string("console/import_buttons.html", {"row": row, "changes": changes}, request)
    return [
        when(row.created_at),
        format_html(
            '{}<br><span class="hub-muted text-xs">{}</span>',
            link(reverse("console:import-reading", args=[row.pk]), row.name),
            row.get_format_display(),
        ),
        str(row.pixel),
        health(of_import(row), persons=True),
        share(row.read, row.size) if row.status != Status.DONE else share(1, 1),
        unbroken(f"{number(row.stored)} {'good' if row.dry_run else 'stored'}"),
        refused,
        _outcome(row),
        buttons,
    ]


def _changes(row: Import) -> list[tuple[str, str]]:
    if row.status in UNDER_WAY:
        return [("cancel", "Cancel")]
    if row.dry_run and row.kept and row.status in files.LOOKED_AT:
        start = [("start", "Import it")] if row.status == Status.DONE else []
        return [*start, ("cancel", "Forget it")]
    return []


def _outcome(row: Import) -> SafeString | str:
    if row.error:
        return row.error
    if not row.report:
        return "a look" if row.dry_run and row.status in UNDER_WAY else ""
    found = row.report
    lines = [f"{number(found['new_users'])} new users, {number(found['known_users'])} known"]
    new = found["new_attributes"]
    if new:
        more = f" and {len(new) - 8} more" if len(new) > 8 else ""
        lines.append(f"new attributes: {', '.join(new[:8])}{more}")
    if not row.dry_run:
        lines.insert(0, "a look before said:")
    return format_html_join(SafeString("<br>"), "{}", [(line,) for line in lines])
