"""A request of a connector, from the network to what it means."""

from integrations import authorization
from integrations.connectors.base import Connector
from integrations.http import Request, Response


def answered(connector: Connector, request: Request) -> Response:
    """Send with the connector's authorization, and answer what came back where the platform took it.

    Raises `integrations.errors` for all else, with the answer's status and excerpt where there was one.
    """
    response = authorization.exchange(request, connector.authorization(), connector.timeout)
    if connector.succeeded(response):
        return response
    failure = connector.failure(response)
    failure.status, failure.excerpt = response.status, response.excerpt
    raise failure
