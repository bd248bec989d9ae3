"""How platforms fare: what keeps requests back, and what is used up of their quotas."""

from typing import Any

from django.contrib.auth.decorators import permission_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse

from activation import platform_status
from console.cells import link, mono, number, state, table, when
from console.components import address, page
from integrations import limits
from integrations.connectors.registry import all_connectors
from integrations.limits import Limits
from integrations.models import Platform

HEADERS = ["Platform", "State", "Until", "Failures", "Why", "Calls a second", "Used of its quotas", "Host keys"]


@permission_required("integrations.view_platform", raise_exception=True)
def platform_health(request: HttpRequest) -> HttpResponse:
    rows = [_cells(platform) for platform in Platform.objects.exclude(connector="none")]
    return page(request, "table.html", "Health of platforms", table=table(HEADERS, rows))


def _cells(platform: Platform) -> list[Any]:
    allowed = _limits(platform)
    found = platform_status.breaker(platform.pk, allowed) or {}
    keys = platform_status.host_keys(platform.pk)
    return [
        link(address(platform), platform),
        state(found.get("state", "live" if platform.enabled else "paused")),
        when(found.get("until")),
        number(found.get("failures", 0)),
        found.get("reason", ""),
        f"{found.get('per_second') or allowed.per_second or ''}",
        ", ".join(_used(name, amount, allowed) for name, amount in platform_status.spent(platform.pk).items()),
        mono(" ".join(f"{host} {key}" for host, key in keys.items())),
    ]


def _used(name: str, amount: int, allowed: Limits) -> str:
    return f"{name.replace('_', ' ')}: {number(amount)} of {number(getattr(allowed, name) or 0)}"


def _limits(platform: Platform) -> Limits:
    connector = all_connectors().get(platform.connector)
    try:
        return limits.read(platform.limits, connector.default_limits if connector else Limits())
    except ValidationError:
        return Limits()
