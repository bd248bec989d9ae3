"""The page of one import: what a dry run found, ten rows as they would be kept, and how the file is to be read."""

from collections.abc import Iterable, Mapping
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from console.access import sees_persons
from console.cells import Table, json_text, number, table
from console.components import page
from console.fields import text_field
from console.scoped import row_or_404
from pipeline.imports import files, services
from pipeline.imports.decoding import ENCODINGS
from pipeline.imports.errors import ImportStateError
from pipeline.imports.mapping import ATTRIBUTE, DIMENSION, LAST_SEEN, TYPES, USER
from pipeline.imports.options import ImportOptions, OptionsError, read_options
from pipeline.models import Import, ImportTemplate
from profiles.events.ids import DEVICES

MOST_COLUMNS = 200  # that the form offers
KEEP, LEAVE = "keep", "leave"
TARGETS = [
    (KEEP, "as its name says"),
    (LEAVE, "leave it out"),
    (USER, "the customer's own user id"),
    (ATTRIBUTE, "an attribute named …"),
    (DIMENSION, "a dimension named …"),
    (LAST_SEEN, "when last seen"),
    ("at", "since when it is so"),
    *[(name, name) for name in ("uuid", "pl", "euid", *DEVICES)],
]
TEXTS = {
    "delimiter": "Between columns",
    "dates": "Dates, such as DD.MM.YYYY",
    "empty": "Words for no value, with commas",
}


def _choice(label: str, choices: Iterable[tuple[str, str]]) -> forms.ChoiceField:
    return forms.ChoiceField(label=label, choices=list(choices), required=False, widget=UnfoldAdminSelectWidget)


class ReadingForm(forms.Form):
    """How a file is read. `columns`: those of the file, each with its target."""

    encoding = _choice("Encoding", [("", "found out"), *((name, name) for name in ENCODINGS)])
    delimiter = text_field(TEXTS["delimiter"], maxlength=9)
    decimal = _choice("Decimals", [("", "1234.5"), (",", "1.234,5"), (".", "1,234.5")])
    dates = text_field(TEXTS["dates"], maxlength=40)
    empty = text_field(TEXTS["empty"])
    constants = forms.CharField(
        label="Constants, each in a line: attribute.Source = shop",
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
    )
    template = text_field("Keep this as a template named", maxlength=200)

    def __init__(self, columns: list[str], options: Mapping[str, Any], given: Any = None) -> None:
        super().__init__(given, initial=_initial(columns, options))
        self.columns = columns[:MOST_COLUMNS]
        self._options = options
        for place, _ in enumerate(self.columns):
            self.fields[f"to-{place}"] = _choice("Where", TARGETS)
            self.fields[f"name-{place}"] = text_field("Name", maxlength=400)
            self.fields[f"type-{place}"] = _choice("Type", [("", "any"), *((name, name) for name in TYPES)])

    def rows(self) -> list[tuple[str, list[Any]]]:
        """Return the columns with their fields."""
        return [
            (name, [self[f"{field}-{place}"] for field in ("to", "name", "type")])
            for place, name in enumerate(self.columns)
        ]

    def general(self) -> list[Any]:
        return [self[name] for name in ("encoding", "decimal", *TEXTS, "constants", "template")]

    def options(self) -> ImportOptions | None:
        """Return what was chosen; None where the form shows what is wrong."""
        if not self.is_valid():
            return None
        chosen = {name: self.cleaned_data[name] for name in ("encoding", "decimal", *TEXTS)}
        try:
            return read_options({**chosen, "mapping": self._mapping()})
        except OptionsError as error:
            for name, fault in error.faults.items():
                self.add_error(name if name in self.fields else None, f"{name}: {fault}")
            return None

    def _mapping(self) -> list[dict[str, Any]]:
        found = [{"from": name, **self._target(place)} for place, name in enumerate(self.columns)]
        lines = [line.partition("=") for line in self.cleaned_data["constants"].splitlines() if line.strip()]
        constants = [{"value": value.strip(), "to": target.strip()} for target, _, value in lines]
        return [row for row in found if row["to"] != KEEP] + constants

    def _target(self, place: int) -> dict[str, Any]:
        to, name, type_ = (self.cleaned_data[f"{field}-{place}"] for field in ("to", "name", "type"))
        if to == LEAVE:
            return {"to": None}
        if to == DIMENSION:
            return {"to": f"{DIMENSION}{name}"}
        if to == ATTRIBUTE or (to in {KEEP, ""} and type_):
            return {"to": f"{ATTRIBUTE}{name or self.columns[place]}", **({"type": type_} if type_ else {})}
        return {"to": to or KEEP}


def _initial(columns: list[str], options: Mapping[str, Any]) -> dict[str, Any]:
    rows = options.get("mapping", [])
    mapped = {row["from"]: row for row in rows if "from" in row}
    values = {name: options.get(name, "") for name in ("encoding", "decimal", "delimiter", "dates")}
    values["empty"] = ", ".join(options.get("empty", []))
    values["constants"] = "\n".join(f"{row['to']} = {row['value']}" for row in rows if "from" not in row)
    for place, name in enumerate(columns):
        row = mapped.get(name) or mapped.get("*")
        to = KEEP if row is None else row.get("to") or LEAVE
        family = next((family for family in (ATTRIBUTE, DIMENSION) if to.startswith(family)), "")
        values[f"to-{place}"] = family or to
        values[f"name-{place}"] = to.removeprefix(family) if family else ""
        values[f"type-{place}"] = (row or {}).get("type", "")
    return values


@permission_required("pipeline.view_import", raise_exception=True)
def import_reading(request: HttpRequest, pk: int) -> HttpResponse:
    """Show an import; with POST look at its file once more, read in the way that the form says."""
    row = row_or_404(request, Import, pk)
    columns = (row.report or {}).get("columns", [])
    may_change = row.dry_run and row.kept and row.status in files.LOOKED_AT
    form = ReadingForm(columns, row.options, request.POST if request.method == "POST" else None)
    if request.method == "POST":
        if not request.user.has_perm("pipeline.add_import"):
            raise PermissionDenied
        answer = _look_again(request, row, form)
        if answer is not None:
            return answer
    shown: dict[str, Any] = {
        "row": row,
        "form": form if may_change and request.user.has_perm("pipeline.add_import") else None,
        "figures": _figures(row),
        "sample": _sample(row) if sees_persons(request) else None,
    }
    return page(request, "import_reading.html", f"Import of {row.name}", **shown)


def _look_again(request: HttpRequest, row: Import, form: ReadingForm) -> HttpResponse | None:
    options = form.options()
    if options is None or not _keep_template(row, form, options):
        return None
    try:
        services.look_again(row, options)
        messages.success(request, f"{row.name} is looked at once more.")
    except ImportStateError as why:
        messages.error(request, f"{row.name}: {why}.")
    return HttpResponseRedirect(reverse("console:imports"))


def _keep_template(row: Import, form: ReadingForm, options: ImportOptions) -> bool:
    """Keep the options under the name that was given, if one was. Returns whether nothing is wrong."""
    name = form.cleaned_data["template"].strip()
    if not name:
        return True
    try:
        with transaction.atomic():
            ImportTemplate.objects.create(customer_id=row.customer_id, name=name, options=options.stored())
    except IntegrityError:
        form.add_error("template", "There is a template of this name already.")
        return False
    return True


def _figures(row: Import) -> list[tuple[str, str]]:
    found = [("rows", number(row.position)), ("good" if row.dry_run else "stored", number(row.stored))]
    return [*found, ("refused", number(row.errors))]


def _sample(row: Import) -> Table | None:
    rows = files.read_sample(row.pk)
    if not rows:
        return None
    names = list(dict.fromkeys(name for one in rows for name in one["attributes"]))
    headers = ["Line", "User", "Since", *names, "Dimensions", "Last seen"]
    return table(headers, [_sample_cells(one, names) for one in rows])


def _sample_cells(one: dict[str, Any], names: list[str]) -> list[Any]:
    ids = ", ".join(f"{id_['kind']} {id_['value']}" for id_ in one["ids"])
    values = [_value(one["attributes"].get(name)) for name in names]
    dimensions = ", ".join(f"{name} {value}" for name, value in one["dimensions"].items())
    return [number(one["line"]), ids, one["at"][:10], *values, dimensions, (one["last_seen"] or "")[:10]]


def _value(value: Any) -> Any:
    """A text as it is; anything else as JSON, so that a number can be told from its text."""
    return "" if value is None else value if isinstance(value, str) else json_text(value)
