"""Checks of a platform's configuration, for everyone who writes it: API, console and commands.

Each check raises Django's `ValidationError` with every error at once. `integrations.limits` checks the limits.
"""

from typing import Any

from django.core.exceptions import ValidationError

from core.patterns import whole
from integrations import sync_templates
from integrations.connectors.base import Connector
from integrations.connectors.registry import all_connectors
from integrations.credential_binding import check_origins
from integrations.errors import MisconfiguredError

_SYNC_SECRET = whole(r"[!-~]{8,200}+")


def check_sync_secret(secret: str) -> None:
    """Refuse a secret that cannot stand in a URL or is easy to guess."""
    if not _SYNC_SECRET(secret):
        raise ValidationError("must have 8 to 200 characters: letters, digits and signs, no blanks")


def check_sync_template(template: str, sync_auth: str) -> None:
    """Refuse a sync template with errors. An empty template means that there is no user sync."""
    errors = sync_templates.find_errors(template, sync_auth) if template else []
    if errors:
        raise ValidationError({"sync_template": errors})


def check_connector(connector: str, settings: dict[str, Any], credentials: dict[str, Any]) -> None:
    """Refuse an unknown connector, or settings and credentials that it does not accept.

    The keys of the errors are `connector`, `settings`, `credentials`, or a path such as `settings.<field>`.
    """
    known = all_connectors()
    if connector not in known:
        raise ValidationError({"connector": f"There is no such connector; there are {', '.join(sorted(known))}."})
    errors = _errors_of("settings", known[connector].validate_settings, settings)
    if not errors:  # only a connector that is set up can judge credentials
        errors = _errors_of(
            "credentials", lambda given: check_credentials(known[connector](settings, given)), credentials
        )
    if errors:
        raise ValidationError(errors)


def check_credentials(connector: Connector) -> None:
    """Refuse stored credentials that the settings would send elsewhere than they were given for."""
    try:
        check_origins(connector.bound, connector.origins())
    except MisconfiguredError as elsewhere:
        raise ValidationError({"credentials": [str(elsewhere)]}) from None


def _errors_of(name: str, validate: Any, value: dict[str, Any]) -> dict[str, list[str]]:
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
