"""Pages about audiences beside their form: estimates, why a user is a member, size, versions, overlap."""

import json
from typing import Any
from uuid import UUID

from django import forms
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.html import format_html
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from audiences import history, overlaps, services
from audiences.asked_rules import asked_rule, people_text
from audiences.estimates import Estimate, RuleEstimate
from audiences.explaining import Explanation, explain
from audiences.models import Audience, AudienceVersion
from audiences.questions import QuestionTooLongError, TooManyQuestionsError
from audiences.rules.errors import RuleError
from audiences.rules.parse import parse
from audiences.rules.render import render
from audiences.schema import names_of, schema_of
from console.access import number_of, scope_of, sees_persons
from console.cells import Table, json_text, link, mono, number, state, table, when
from console.charts import ShareChart
from console.components import admin_address, page
from console.scoped import RowsField, ScopedForm, row_or_404
from core import strict_json
from core.scope import Scope
from core.transactions import plain_cursor
from pipeline.stories import find

HOURS, DAYS = 48, 90
_NOT_NOW = (TooManyQuestionsError, QuestionTooLongError)
VIEW, CHANGE = "audiences.view_audience", "audiences.change_audience"
PERSONS = (VIEW, "profiles.view_profile")


@permission_required(PERSONS, raise_exception=True)
def estimate(request: HttpRequest) -> HttpResponse:
    """A part of the audience's form: how many people the typed rule describes, and what saving it would change."""
    return TemplateResponse(request, "console/estimate.html", _estimated(scope_of(request), request.POST))


def _estimated(scope: Scope, given: Any) -> dict[str, Any]:
    audience = scope.of(Audience).filter(pk=number_of(given.get("audience", "")) or 0).first()
    customer = audience.customer_id if audience else number_of(given.get("customer", ""))
    if customer is None or not scope.sees(customer):
        return {"waiting": "Choose the customer first."}
    try:
        rule = asked_rule(customer, strict_json.read(given.get("rule") or "null"))
    except RuleError as error:
        return {"faults": [(fault.path or "rule", fault.message) for fault in error.errors]}
    except strict_json.StrictJsonError:
        return {"faults": [("rule", "is not JSON yet")]}
    try:
        found = rule.estimate(audience)
    except _NOT_NOW as error:
        return {"waiting": str(error)}
    shown: dict[str, Any] = {"words": rule.text(found)}
    shown |= {name: people_text(one, exact=found.exact) for name, one in _counted(found, audience).items()}
    if rule.offer and found.unknown.estimate:
        shown["offer"] = json.dumps(rule.offer, indent=2, ensure_ascii=False)
    shown["sample"] = [] if audience else found.sample[:5]
    return shown


def _counted(found: RuleEstimate, audience: Audience | None) -> dict[str, Estimate]:
    moves = {"enter": found.enter, "leave": found.leave} if audience else {}
    return {"members": found.members, **moves}


class WhoForm(forms.Form):
    id = forms.CharField(
        max_length=400, label="Any id of the user", widget=UnfoldAdminTextInputWidget(attrs={"autofocus": True})
    )


@permission_required(PERSONS, raise_exception=True)
def why(request: HttpRequest, pk: int) -> HttpResponse:
    audience = row_or_404(request, Audience, pk)
    form = WhoForm(request.GET) if "id" in request.GET else WhoForm()
    shown: dict[str, Any] = {"form": form, "audience": audience, "back": admin_address(audience)}
    if form.is_bound and form.is_valid():
        users = find(audience.customer_id, form.cleaned_data["id"])
        explanation = _explained(audience, users[0]) if users else None
        shown |= {"searched": True, "explanation": explanation, "rows": _parts(explanation) if explanation else None}
    return page(request, "why.html", f"Why a user is in “{audience.name}”", **shown)


def _explained(audience: Audience, user: UUID) -> Explanation | None:
    try:
        with plain_cursor() as cursor:
            return explain(cursor, audience, user, names_of(audience.customer_id))
    except RuleError:
        return None


def _parts(explanation: Explanation) -> Table:
    rows = list(_lines(explanation.tree, 0))
    if explanation.expiry:
        rows.append(_line(explanation.expiry, 0))
    return table(["Condition", "Holds", "Found", "Until (by time alone)"], rows)


def _lines(part: dict[str, Any], depth: int) -> Any:
    if "rules" not in part:
        yield _line(part, depth)
        return
    words = {"and": "all of these", "or": "any of these"}[part["combinator"]]
    title = f"not {words}" if part["not"] else words
    yield (_indented(title, depth), _holds(part["true"]), "", when(part["until"]))
    for inner in part["rules"]:
        yield from _lines(inner, depth + 1)


def _line(part: dict[str, Any], depth: int) -> tuple[Any, ...]:
    return (_indented(part["text"], depth), _holds(part["true"]), json_text(part["found"]), when(part["until"]))


def _indented(text: str, depth: int) -> Any:
    return format_html('<span style="padding-left: {}rem">{}</span>', 1.5 * depth, text)


def _holds(truth: bool) -> str:
    return state("yes" if truth else "no")


@permission_required(VIEW, raise_exception=True)
def size(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the size over time, by day or by hour."""
    audience = row_or_404(request, Audience, pk)
    step = "hour" if request.GET.get("step") == "hour" else "day"
    points = history.history(audience, step, HOURS if step == "hour" else DAYS)
    top = max((point.size for point in points), default=0) or 1
    label = "%Y-%m-%d %H:%M" if step == "hour" else "%Y-%m-%d"
    rows = [
        (f"{point.at:{label}}", number(point.size), number(point.entered), number(point.left))
        for point in reversed(points)
    ]
    shown: dict[str, Any] = {
        "audience": audience,
        "step": step,
        "alert": history.alerts([audience]).get(audience.pk),
        "chart": ShareChart(
            [(f"{point.at:{label}}: {number(point.size)} members", point.size / top) for point in points]
        ),
        "top": number(top),
        "table": table(["Hour" if step == "hour" else "Day (UTC)", "Members", "Entered", "Left"], rows),
        "back": admin_address(audience),
    }
    return page(request, "audience_size.html", f"Size of “{audience.name}”", **shown)


@permission_required(VIEW, raise_exception=True)
def changes(request: HttpRequest, pk: int) -> HttpResponse:
    """List the audience's versions, each with the way back to it."""
    audience = row_or_404(request, Audience, pk)
    rows = scope_of(request).of(AudienceVersion).filter(audience=audience).order_by("-version")[:200]
    names, schema = names_of(audience.customer_id), schema_of(audience.customer_id)
    listed = [
        (row.version, row.change, row.by, when(row.at), _words(row, schema, names), _way_back(audience, row))
        for row in rows
    ]
    headers = ["Version", "Change", "By", "At", "Rule", ""]
    return page(
        request,
        "audience_changes.html",
        f"Versions of “{audience.name}”",
        audience=audience,
        table=table(headers, listed),
        back=admin_address(audience),
    )


def _words(row: AudienceVersion, schema: Any, names: dict[str, str]) -> str:
    if row.rule is None:
        return "no rule"
    try:
        words = render(parse(row.rule, schema), names)
    except RuleError:
        words = "(what the rule names is not there any more)"
    return f"{words}; expires after {row.ttl}" if row.ttl else words


def _way_back(audience: Audience, row: AudienceVersion) -> Any:
    if row.version == audience.version or (row.rule, row.ttl) == (audience.rule, audience.ttl):
        return "as now"
    return link(f"go-back/{row.version}/", "Go back to it")


@permission_required(CHANGE, raise_exception=True)
def go_back(request: HttpRequest, pk: int, version: int) -> HttpResponse:
    """Go back to a version; ask first, with what that would change."""
    audience = row_or_404(request, Audience, pk)
    try:
        earlier = history.version_of(audience, version)
        rule = asked_rule(audience.customer_id, earlier.rule)
        if request.method == "POST":
            services.go_back(audience, version, by=request.user.get_username())
            return HttpResponse(status=302, headers={"Location": admin_address(audience)})
        found = rule.estimate(audience)
    except _NOT_NOW as error:
        return page(request, "refused.html", "Not now", why=str(error), back=admin_address(audience))
    except (history.NoSuchVersionError, RuleError, services.AudienceInUseError) as error:
        return page(
            request, "refused.html", "That version cannot come back", why=str(error), back=admin_address(audience)
        )
    question = (
        f"{people_text(found.enter, exact=found.exact)} would enter and"
        f" {people_text(found.leave, exact=found.exact)} would leave. The rule: {rule.text(found)}"
    )
    return page(
        request,
        "confirm.html",
        f"Go back to version {version}",
        verb="Go back",
        question=question,
        row=audience,
        back=admin_address(audience),
    )


class OverlapForm(ScopedForm):
    ids = RowsField(Audience, "customer", label="Audiences (2 to 10)", widget=forms.SelectMultiple)

    def __init__(self, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        widget = UnfoldAdminSelectWidget(attrs={"multiple": True, "size": 8})
        self.fields["ids"].widget.attrs = {**widget.attrs, "multiple": True, "size": 8}


@permission_required(VIEW, raise_exception=True)
def overlap(request: HttpRequest) -> HttpResponse:
    scope = scope_of(request)
    form = OverlapForm(scope, request.GET) if "ids" in request.GET else OverlapForm(scope)
    shown: dict[str, Any] = {"form": form}
    if form.is_bound and form.is_valid():
        chosen = list(form.cleaned_data["ids"])
        if not 2 <= len(chosen) <= overlaps.MOST:
            form.add_error("ids", f"Choose 2 to {overlaps.MOST} audiences.")
        elif len({one.customer_id for one in chosen}) > 1:
            form.add_error("ids", "Choose audiences of one customer.")
        else:
            try:
                shown |= _overlapping(chosen, in_full=sees_persons(request))
            except _NOT_NOW as error:
                form.add_error(None, str(error))
    return page(request, "overlap.html", "Overlap of audiences", **shown)


def _overlapping(chosen: list[Audience], *, in_full: bool) -> dict[str, Any]:
    found = overlaps.overlap(chosen)
    if not in_full:
        found = overlaps.rough(found)
    of = {(pair.first, pair.second): pair for pair in found.pairs}
    rows = []
    for one in chosen:
        cells: list[Any] = [link(admin_address(one), one.name)]
        for other in chosen:
            pair = of.get((one.pk, other.pk)) or of.get((other.pk, one.pk))
            cells.append(mono(number(found.sizes[one.pk])) if pair is None else _shared(pair))
        rows.append(cells)
    figures = [
        {"title": "In all of them", "value": number(found.all), "hint": "users"},
        {"title": "In any of them", "value": number(found.any), "hint": "users"},
        {"title": "Counted", "value": "exactly" if found.exact else "roughly", "hint": "large audiences are sampled"},
    ]
    return {"figures": figures, "table": table(["", *(one.name for one in chosen)], rows)}


def _shared(pair: overlaps.OverlapPair) -> str:
    return number(pair.users) if pair.share is None else f"{number(pair.users)} ({100 * pair.share:.1f} %)"
