"""Sending a connector's request, and reading whether the platform accepted it.

Must never be called inside a transaction: a platform may take many seconds to respond.
"""

from integrations import authorization
from integrations.connectors.base import Connector
from integrations.http import Request, Response


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
