"""What other rooms may do with a platform: set its connector up, send a request, check it, change its sync secret.

Must never be called inside a transaction where it sends: a platform may take many seconds to respond.
"""

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError

from integrations.checks import try_connector
from integrations.connectors.base import Connector
from integrations.connectors.registry import all_connectors
from integrations.models import Platform, UnreadableSecret, new_secret, rotated
from integrations.sending import send_request
from integrations.uploads.folder import FileOwner
from integrations.validation import check_credentials

__all__ = [
    "check",
    "connector_of",
    "replace_sync_secrets",
    "rotate_sync_secret",
    "send_request",
    "try_connector",
    "validate_activation",
]


def connector_of(platform: Platform) -> Connector:
    """Return the platform's connector, set up.

    Raises Django's `ValidationError` where it cannot be: the connector is not installed here, no key of the hub opens
    the credentials, they were given for another address, or the settings do not fit.
    """
    kind = all_connectors().get(platform.connector)
    if kind is None:
        raise ValidationError({"connector": [f"“{platform.connector}” is not installed here"]})
    if isinstance(platform.credentials, UnreadableSecret):
        raise ValidationError({"credentials": ["no key of the hub opens them: enter them again"]})
    try:
        connector = kind(platform.settings, platform.credentials)
        check_credentials(connector)
    except ValidationError:
        raise
    except Exception as error:  # of a connector from elsewhere; its words may hold secrets
        raise ValidationError({"settings": [f"the connector failed on them ({type(error).__name__})"]}) from error
    return connector


def validate_activation(connector: Connector, settings: Any) -> None:
    """Raise Django's `ValidationError` if the settings of an activation cannot work, whatever they are."""
    try:
        connector.validate_activation(settings)
    except ValidationError:
        raise
    except Exception as error:  # they were stored by another version of the connector, or by a statement
        raise ValidationError({"settings": [f"the connector failed on them ({type(error).__name__})"]}) from error


def check(platform: Platform, host_keys: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Ask the platform whether it accepts the hub, as far as it can be asked. Changes nothing there.

    Returns what `integrations.checks.try_connector` returns. Do not call it inside a transaction. Raises Django's
    `ValidationError` where the settings do not fit the connector.
    """
    return try_connector(connector_of(platform), host_keys or {}, FileOwner(platform.customer_id, platform.pk))


def rotate_sync_secret(platform: Platform, secret: str | None = None) -> str:
    """Set a new sync secret (a random one if none is given). The previous secret stays valid. The caller saves.

    A platform has at most two secrets, newest first.
    """
    platform.sync_secrets = rotated(platform.sync_secrets, secret)
    return str(platform.sync_secrets[0])


def replace_sync_secrets(platform: Platform, secret: str | None = None) -> str:
    """Set the only sync secret after a change between token and signature. The caller saves.

    Old secrets become invalid, because browsers have seen a token.
    """
    platform.sync_secrets = [secret] if secret else new_secret()
    return str(platform.sync_secrets[0])
