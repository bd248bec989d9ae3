"""What other rooms may do with a platform: set its connector up, send a request, check it, change its sync secret.

Must never be called inside a transaction where it sends: a platform may take many seconds to respond.
"""

from typing import Any

from integrations import authorization
from integrations.connectors.base import Connector
from integrations.connectors.registry import all_connectors
from integrations.errors import IntegrationError
from integrations.http import Request, Response
from integrations.models import Platform, new_secret


def connector_of(platform: Platform) -> Connector:
    """Return the platform's connector, set up. Raises Django's `ValidationError` where its settings do not fit."""
    return all_connectors()[platform.connector](platform.settings, platform.credentials)


def send_request(connector: Connector, request: Request) -> Response:
    """Send a request with the connector's authorization. Return the response if the platform accepted the request.

    Otherwise raises an error of `integrations.errors`, with the status and an excerpt of the response if there was one.
    Blocks for `connector.timeout` seconds at most.
    """
    response = authorization.exchange(request, connector.authorization(), connector.timeout)
    if connector.succeeded(response):
        return response
    failure = connector.failure(response)
    failure.status, failure.excerpt = response.status, response.excerpt
    raise failure


def check(platform: Platform) -> dict[str, Any]:
    """Check that the platform accepts its credentials. Changes nothing at the platform.

    Returns `{"ok": …}` with `error`, `warnings` and what the connector reads in the responses. Do not call it inside a
    transaction. Raises Django's `ValidationError` where the settings do not fit the connector.
    """
    return check_credentials(connector_of(platform))


def check_credentials(connector: Connector) -> dict[str, Any]:
    """Do the same for a connector whose platform need not be stored yet."""
    hints: dict[str, Any] = {"warnings": warnings} if (warnings := connector.warnings()) else {}
    try:
        return {"ok": True, **_ask_platform(connector), **hints}
    except IntegrationError as failure:
        return {"ok": False, "error": str(failure), **hints}


def _ask_platform(connector: Connector) -> dict[str, Any]:
    source = connector.authorization()
    if source is not None:
        authorization.check(source, connector.timeout)
    requests = connector.check_requests()
    responses = [send_request(connector, request) for request in requests]
    return connector.read_checks(responses) if requests else {}


def rotate_sync_secret(platform: Platform, secret: str | None = None) -> str:
    """Set a new sync secret (a random one if none is given). The previous secret stays valid. The caller saves.

    A platform has at most two secrets, newest first.
    """
    newest = secret or new_secret()[0]
    kept = [old for old in platform.sync_secrets if old != newest]
    platform.sync_secrets = [newest, *kept][:2]
    return newest


def replace_sync_secrets(platform: Platform, secret: str | None = None) -> str:
    """Set the only sync secret after a change between token and signature. The caller saves.

    Old secrets become invalid, because browsers have seen a token.
    """
    platform.sync_secrets = [secret] if secret else new_secret()
    return str(platform.sync_secrets[0])
