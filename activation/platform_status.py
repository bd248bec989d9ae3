"""The state of platforms as the API and the console show it: breaker, quotas, host keys."""

from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError

from activation.delivery import platform_client, quotas
from activation.delivery.circuit_breaker import BreakerState, CircuitBreaker
from activation.models import Activation, HostKey, Spending
from core import clock, problems
from core.database import bare_cursor
from integrations import limits
from integrations.connectors.registry import all_connectors
from integrations.limits import Limits
from integrations.models import Platform

Shown = dict[str, Any]
NO_LIMITS = Limits()


def allowed(platform: Platform) -> Limits:
    """Returns the limits that hold for the platform: its own before its connector's; none if unreadable."""
    connector = all_connectors().get(platform.connector)
    try:
        return limits.read(platform.limits, connector.default_limits if connector else NO_LIMITS)
    except ValidationError:
        return NO_LIMITS


def breaker(platform: Platform) -> Shown | None:
    """Returns what keeps requests back. `state`: open, probing, waiting (asked to, or a quota is used up) or slowed."""
    at = clock.now()
    with bare_cursor() as cursor:
        found = CircuitBreaker(cursor, platform.pk).read()
    state = _state(found, at)
    if state is None:
        return None
    return {
        "state": state,
        "until": found.until if found.holds_back(at) else None,
        "failures": found.failures,
        "reason": found.reason,
        "per_second": platform_client.rate(allowed(platform), found, at) if _is_slowed(found, at) else None,
    }


def _state(found: BreakerState, at: datetime) -> str | None:
    if found.is_broken:
        return found.state
    if found.holds_back(at):
        return "waiting"
    return "slowed" if _is_slowed(found, at) else None


def _is_slowed(found: BreakerState, at: datetime) -> bool:
    return found.slowed_at is not None and at < found.slowed_at + platform_client.RECOVERY


def problem_of(activation: Activation) -> str:
    """Returns why nothing is sent, or nobody enters or leaves: it, its platform or its audience cannot be used."""
    subject = problems.Subject
    return problems.first(
        [
            (subject.PLATFORM, activation.platform_id),
            (subject.ACTIVATION, activation.pk),
            (subject.AUDIENCE, activation.audience_id),
        ]
    )


def host_keys(platform: int) -> dict[str, str]:
    """Returns the key by which each host is known."""
    return dict(HostKey.objects.filter(platform_id=platform).values_list("host", "key"))


def spent(platform: int) -> dict[str, int]:
    """Returns what is used up of the present hour's and day's quotas, by limit."""
    at = clock.now()
    rows = Spending.objects.filter(platform_id=platform).values_list("what", "since", "spent")
    return {what: amount for what, since, amount in rows if since == quotas.period(what, at)}
