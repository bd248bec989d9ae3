"""What may be done with a platform."""

from typing import Any

from integrations import authorization
from integrations.calls import answered
from integrations.connectors.base import Connector
from integrations.connectors.registry import all_connectors
from integrations.errors import IntegrationError
from integrations.models import Platform


def connector_of(platform: Platform) -> Connector:
    """The platform's connector, set up. Raises Django's `ValidationError` where its settings do not fit."""
    return all_connectors()[platform.connector](platform.settings, platform.credentials)


def check(platform: Platform) -> dict[str, Any]:
    """Whether the platform's settings and credentials fit its connector, and whether the platform accepts them.

    `{"ok": …}` with `error`, `warnings` and what the connector reads in the answers. Changes nothing there; not to be
    called inside a transaction. Raises Django's `ValidationError` where settings do not fit.
    """
    return ask(connector_of(platform))


def ask(connector: Connector) -> dict[str, Any]:
    """The same of a connector that is set up, stored or not."""
    told: dict[str, Any] = {"warnings": warnings} if (warnings := connector.warnings()) else {}
    try:
        return {"ok": True, **_asked(connector), **told}
    except IntegrationError as failure:
        return {"ok": False, "error": str(failure), **told}


def _asked(connector: Connector) -> dict[str, Any]:
    source = connector.authorization()
    if source is not None:
        authorization.check(source, connector.timeout)
    requests = connector.checks()
    answers = [answered(connector, request) for request in requests]
    return connector.checked(answers) if requests else {}
