"""What a platform's configuration must be, for everyone who writes it. Raises Django's ValidationError by field."""

from typing import Any

from django.core.exceptions import ValidationError

from integrations import sync_templates
from integrations.connectors.registry import all_connectors

LIMITS = ("per_second", "concurrent", "per_day", "files_per_hour", "bytes_per_day")


def check_limits(limits: dict[str, Any]) -> None:
    errors = {}
    for name, value in limits.items():
        if name not in LIMITS:
            errors[f"limits.{name}"] = f"There is no such limit; there are {', '.join(LIMITS)}."
        elif isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
            errors[f"limits.{name}"] = "must be a number above 0"
    if errors:
        raise ValidationError(errors)


def check_sync_template(template: str, sync_auth: str) -> None:
    """Every fault at once; an empty template means no user sync."""
    wrong = sync_templates.faults(template, sync_auth) if template else []
    if wrong:
        raise ValidationError({"sync_template": wrong})


def check_connector(connector: str, settings: dict[str, Any], credentials: dict[str, Any]) -> None:
    """That the connector exists and understands its settings and credentials; faults as `settings.<field>`."""
    known = all_connectors()
    if connector not in known:
        raise ValidationError({"connector": f"There is no such connector; there are {', '.join(sorted(known))}."})
    errors = _faults("settings", known[connector].validate_settings, settings)
    if not errors:  # what no credentials mean is known to a connector that is set up
        errors = _faults("credentials", lambda given: known[connector](settings, given), credentials)
    if errors:
        raise ValidationError(errors)


def _faults(name: str, validate: Any, value: dict[str, Any]) -> dict[str, list[str]]:
    try:
        validate(value)
    except ValidationError as error:
        if not hasattr(error, "error_dict"):
            return {name: list(error.messages)}
        return {
            name if field in {name, "__all__"} else f"{name}.{field}": messages
            for field, messages in error.message_dict.items()
        }
    return {}
