"""Sending a connector's request, and reading whether the platform accepted it.

Must never be called inside a transaction: a platform may take many seconds to respond.
"""

from integrations import authorization
from integrations.connectors.base import Connector
from integrations.credential_binding import check_origins, origin_of
from integrations.http import Request, Response


def fetch_token(connector: Connector) -> str | None:
    """Fetch a token with the connector's credentials. Returns what was found; None where it needs none.

    Raises like `send_request`.
    """
    source = connector.authorization()
    if source is None:
        return None
    check_origins(connector.bound, [origin_of(source.request().url)])
    way = authorization.check(source, connector.timeout)
    return f"the platform issued a token for the credentials{f', sent {way}' if way else ''}"


def send_request(connector: Connector, request: Request) -> Response:
    """Send a request with the connector's authorization. Return the response if the platform accepted the request.

    Otherwise raises an error of `integrations.errors`, with the status and an excerpt of the response if there was one.
    Blocks for `connector.timeout` seconds at most. Stored credentials go only where they were given for.
    """
    source = connector.authorization()
    asked = [request.url] if source is None else [request.url, source.request().url]
    check_origins(connector.bound, map(origin_of, asked))
    response = authorization.exchange(request, source, connector.timeout)
    if connector.succeeded(response):
        return response
    failure = connector.failure(response)
    failure.status, failure.excerpt = response.status, response.excerpt
    raise failure
