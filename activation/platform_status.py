"""How platforms fare, as the API and the console show it."""

from datetime import datetime
from typing import Any

from activation.delivery import circuit_breaker, platform_client, quotas
from activation.delivery.circuit_breaker import Condition
from activation.models import HostKey, Spending
from activation.previews import bare_cursor
from core import clock
from integrations.limits import Limits

Shown = dict[str, Any]


def breaker(platform: int, limits: Limits = Limits()) -> Shown | None:  # noqa: B008 (it never changes)
    """What keeps requests back: `state` open, probing, waiting (it asked to wait, or a quota is used up) or slowed."""
    now = clock.now()
    with bare_cursor() as cursor:
        found = circuit_breaker.read(cursor, platform)
    state = _state(found, now)
    if state is None:
        return None
    return {
        "state": state,
        "until": found.until if found.holds_back(now) else None,
        "failures": found.failures,
        "reason": found.reason,
        "per_second": platform_client.rate(limits, found, now) if _is_slowed(found, now) else None,
    }


def _state(found: Condition, now: datetime) -> str | None:
    if found.is_broken:
        return found.state
    if found.holds_back(now):
        return "waiting"
    return "slowed" if _is_slowed(found, now) else None


def _is_slowed(found: Condition, now: datetime) -> bool:
    return found.slowed_at is not None and now < found.slowed_at + platform_client.RECOVERY


def host_keys(platform: int) -> dict[str, str]:
    """By host, the key by which it is known."""
    return dict(HostKey.objects.filter(platform_id=platform).values_list("host", "key"))


def spent(platform: int) -> dict[str, int]:
    """What is used up of the present hour's and day's quotas, by limit."""
    now = clock.now()
    rows = Spending.objects.filter(platform_id=platform).values_list("what", "since", "spent")
    return {what: amount for what, since, amount in rows if since == quotas.period(what, now)}
