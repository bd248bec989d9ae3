"""What a platform's configuration must be, for everyone who writes it. Raises Django's ValidationError by field."""

from typing import Any

from django.core.exceptions import ValidationError

from integrations import sync_templates
from integrations.connectors.registry import all_connectors
from integrations.limits import check as check_limits

__all__ = ["check_connector", "check_limits", "check_sync_template"]


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
