"""How well a platform is matched, day by day."""

from datetime import datetime
from typing import Any

from django import forms
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from unfold.widgets import UnfoldAdminSelectWidget

from console.cells import Table, number, table
from console.chart import Chart
from console.components import page
from integrations.models import Platform
from pipeline import match_rates
from pipeline.match_rates import Day, Rate
from usersync.user_counts import newest_sync

DAYS = 90
ROWS = 14


class PlatformForm(forms.Form):
    platform = forms.ModelChoiceField(
        Platform.objects.select_related("customer"), empty_label=None, widget=UnfoldAdminSelectWidget
    )


@permission_required("integrations.view_platform", raise_exception=True)
def match_rate(request: HttpRequest) -> HttpResponse:
    """Of the platform that the address names, or of the first."""
    first = Platform.objects.order_by("pl").first()
    otherwise = {"platform": first.pl} if first else None
    form = PlatformForm(request.GET if "platform" in request.GET else otherwise)
    shown = _shown(form.cleaned_data["platform"]) if form.is_valid() else {}
    return page(request, "match_rate.html", "Match rate", form=form, **shown)


def _shown(platform: Platform) -> dict[str, Any]:
    days = match_rates.days(platform, DAYS)
    return {
        "platform": platform,
        "figures": _figures(days[-1].rate, newest_sync(platform.pl)),
        "chart": Chart([(str(one.day), one.rate.share) for one in days]),
        "table": _table(days),
    }


def _figures(rate: Rate, newest: datetime | None) -> list[dict[str, str]]:
    clock, day = (f"{newest:%H:%M}", f"UTC, {newest:%Y-%m-%d}") if newest else ("never", "")
    return [
        {"title": "Known users", "value": number(rate.known), "hint": "real, and not opted out"},
        {"title": "Matched", "value": number(rate.mapped), "hint": "with an id on the platform, each user once"},
        {"title": "Share", "value": percent(rate.share), "hint": "of the known users"},
        {"title": "Newest sync", "value": clock, "hint": day},
    ]


def _table(days: list[Day]) -> Table:
    rows = [(str(one.day), number(one.rate.known), number(one.rate.mapped), percent(one.rate.share)) for one in days]
    return table(["Day (UTC)", "Known users", "Matched", "Share"], rows[: -ROWS - 1 : -1])


def percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"
