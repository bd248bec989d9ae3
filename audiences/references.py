"""Which audiences name a thing in their rules: it cannot go while they do."""

from collections.abc import Iterator
from typing import Any

from audiences.models import Audience


def audiences_naming(customer: int, *, pixel: int | None = None, platform: int | None = None) -> list[Audience]:
    """The customer's audiences whose rules name the pixel or the platform."""
    rows = Audience.objects.filter(customer_id=customer).exclude(rule=None)
    return [row for row in rows if any(_names(rule, pixel, platform) for rule in _conditions(row.rule))]


def _names(rule: dict[str, Any], pixel: int | None, platform: int | None) -> bool:
    field, value = str(rule.get("field", "")), rule.get("value")
    if pixel is not None and field.startswith(f"pixel.{pixel}."):
        return True
    named = value if isinstance(value, list) else [value]
    return platform is not None and field == "platform" and platform in named


def _conditions(group: Any) -> Iterator[dict[str, Any]]:
    """Every condition of a rule that was accepted when it was saved."""
    for rule in group.get("rules", ()) if isinstance(group, dict) else ():
        if "rules" in rule:
            yield from _conditions(rule)
        else:
            yield rule
