"""Pages about platforms beside their forms: connectors, health, match rate, and links for mailings."""

from datetime import datetime
from typing import Any

from django import forms
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from activation import platform_status
from console.access import scope_of, sees_persons
from console.cells import Table, health, link, mono, number, table
from console.charts import ShareChart
from console.components import admin_address, page
from console.fields import choose_row
from console.scoped import ScopedForm
from integrations import matrix
from integrations.limits import Limits
from integrations.models import Platform
from pipeline import match_rates
from pipeline.health import reading
from pipeline.match_rates import MatchRate, MatchRateDay
from usersync.links import MAX_MAILING, BadLinkError
from usersync.services import link_for, newest_sync

RATE_DAYS = 90
RATE_ROWS = 14
LINK_KINDS = [("click", "a link in the mailing"), ("view", "the mailing on the web")]
HEALTH_HEADERS = ["Platform", "How it is doing", "Failures", "Calls a second", "Used of its quotas", "Host keys"]


@permission_required("integrations.view_platform", raise_exception=True)
def connectors(request: HttpRequest) -> HttpResponse:
    """What platforms can be connected to, and what each connector can do."""
    rows = [(title, mono(key), *rest) for title, key, *rest in matrix.rows()]
    return page(request, "connectors.html", "Connectors", table=table(matrix.COLUMNS, rows))


@permission_required("integrations.view_platform", raise_exception=True)
def platform_health(request: HttpRequest) -> HttpResponse:
    """What keeps requests to each platform back, and what is used up of its quotas."""
    platforms, persons = list(scope_of(request).of(Platform).exclude(connector="none")), sees_persons(request)
    words = reading.of_platforms(platforms)
    rows = [_health_cells(one, health(words[one.pk], persons=persons)) for one in platforms]
    return page(request, "table.html", "Health of platforms", table=table(HEALTH_HEADERS, rows))


def _health_cells(platform: Platform, word: SafeString) -> list[Any]:
    allowed = platform_status.allowed(platform)
    found = platform_status.breaker(platform) or {}
    keys = platform_status.host_keys(platform.pk)
    return [
        link(admin_address(platform), platform),
        word,
        number(found.get("failures", 0)),
        f"{found.get('per_second') or allowed.per_second or ''}",
        ", ".join(_quota_used(name, amount, allowed) for name, amount in platform_status.spent(platform.pk).items()),
        mono(" ".join(f"{host} {key}" for host, key in keys.items())),
    ]


def _quota_used(name: str, amount: int, allowed: Limits) -> str:
    return f"{name.replace('_', ' ')}: {number(amount)} of {number(getattr(allowed, name) or 0)}"


class MatchRateForm(ScopedForm):
    platform = choose_row(Platform, "customer")


@permission_required("integrations.view_platform", raise_exception=True)
def match_rate(request: HttpRequest) -> HttpResponse:
    """Show the match rate of the platform that the address names, or of the first."""
    scope = scope_of(request)
    first = scope.of(Platform).order_by("pl").first()
    otherwise = {"platform": first.pl} if first else None
    form = MatchRateForm(scope, request.GET if "platform" in request.GET else otherwise)
    shown = _rates(form.cleaned_data["platform"]) if form.is_valid() else {}
    return page(request, "match_rate.html", "Match rate", form=form, **shown)


def _rates(platform: Platform) -> dict[str, Any]:
    days = match_rates.days(platform, RATE_DAYS)
    return {
        "platform": platform,
        "figures": _rate_figures(days[-1].rate, newest_sync(platform.pl)),
        "chart": ShareChart([(str(one.day), one.rate.share) for one in days]),
        "table": _rate_table(days),
    }


def _rate_figures(rate: MatchRate, newest: datetime | None) -> list[dict[str, str]]:
    clock, day = (f"{newest:%H:%M}", f"UTC, {newest:%Y-%m-%d}") if newest else ("never", "")
    return [
        {"title": "Known users", "value": number(rate.known), "hint": "real, and not opted out"},
        {"title": "Matched", "value": number(rate.mapped), "hint": "with an id on the platform, each user once"},
        {"title": "Share", "value": percent(rate.share), "hint": "of the known users"},
        {"title": "Newest sync", "value": clock, "hint": day},
    ]


def _rate_table(days: list[MatchRateDay]) -> Table:
    rows = [(str(one.day), number(one.rate.known), number(one.rate.mapped), percent(one.rate.share)) for one in days]
    return table(["Day (UTC)", "Known users", "Matched", "Share"], rows[: -RATE_ROWS - 1 : -1])


def percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"


class LinkForm(ScopedForm):
    platform = choose_row(Platform)
    kind = forms.ChoiceField(choices=LINK_KINDS, label="What it is", widget=UnfoldAdminSelectWidget)
    mailing = forms.CharField(
        required=False,
        max_length=MAX_MAILING,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "kept with the match"}),
    )
    target = forms.CharField(
        label="Where it leads", widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "https://", "type": "url"})
    )

    def url(self) -> str | None:
        """Return the link; None where the form shows what is wrong."""
        if not self.is_valid():
            return None
        try:
            return link_for(**self.cleaned_data)
        except BadLinkError as fault:
            self.add_error(fault.field, str(fault))
            return None


@permission_required("integrations.change_platform", raise_exception=True)
def links(request: HttpRequest) -> HttpResponse:
    """Make a link for a mailing, by which its readers are matched with a platform."""
    scope = scope_of(request)
    form = LinkForm(scope, request.GET) if "target" in request.GET else LinkForm(scope)
    context: dict[str, Any] = {"form": form, "url": form.url() if form.is_bound else None}
    return page(request, "links.html", "Mail links", **context)
