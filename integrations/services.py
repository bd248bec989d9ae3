"""What may be done with a platform."""

from typing import Any

from integrations.connectors.base import Connector
from integrations.connectors.registry import all_connectors
from integrations.models import Platform


def connector_of(platform: Platform) -> Connector:
    """The platform's connector, set up. Raises Django's `ValidationError` where its settings do not fit."""
    return all_connectors()[platform.connector](platform.settings, platform.credentials)


def check(platform: Platform) -> dict[str, Any]:
    """Whether the platform's settings and credentials fit its connector."""
    connector_of(platform)
    return {"ok": True}
