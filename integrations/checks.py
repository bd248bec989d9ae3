"""Checks of a platform before anything is delivered: what it says when it is asked, and what was found on the way.

A check asks as much as can be asked without changing anything at the platform: it fetches a token, sends the
connector's `check_requests`, and writes and removes a small file where files are uploaded. Where nothing can be asked,
it says that nobody was asked.
"""

from collections.abc import Mapping
from typing import Any

from integrations.connectors.base import Connector
from integrations.connectors.files import FileConnector
from integrations.errors import IntegrationError
from integrations.sending import fetch_token, send_request
from integrations.uploads.folder import FileOwner
from integrations.uploads.upload import try_out

# a person waits for a check
LONGEST_SECONDS = 20.0
NOBODY = "nobody was asked: the settings fit the connector, and this platform has no request that changes nothing"


def try_connector(connector: Connector, host_keys: Mapping[str, str], owner: FileOwner | None = None) -> dict[str, Any]:
    """Return `{"ok": …}` with `error`, `asked` (how many questions were answered), `found` and `warnings`.

    `found` are sentences about what was found, also before an error. What the connector reads in the responses stands
    beside them. `host_keys` are the keys by which file servers are known, by `host:port`. `owner`: whose files would be
    uploaded; None where the platform is not stored yet. Must not be called inside a
    transaction: it blocks for as long as the platform may take to respond.
    """
    hints: dict[str, Any] = {"warnings": warnings} if (warnings := connector.warnings()) else {}
    found: list[str] = []
    try:
        read = _ask(connector, found, host_keys, owner)
    except IntegrationError as failure:
        return {"ok": False, "error": str(failure), "asked": len(found), "found": found, **hints}
    return {"ok": True, "asked": len(found), **read, "found": found or [NOBODY], **hints}


def _ask(
    connector: Connector, found: list[str], host_keys: Mapping[str, str], owner: FileOwner | None
) -> dict[str, Any]:
    token = fetch_token(connector)
    if token is not None:
        found.append(token)
    requests = connector.check_requests()
    responses = []
    for request in requests:
        responses.append(send_request(connector, request))
        found.append(f"the platform answered {responses[-1].status} to {request.method} {request.url}")
    read = connector.read_checks(responses) if requests else {}
    if isinstance(connector, FileConnector):
        seconds = min(connector.timeout, LONGEST_SECONDS)
        try_out(connector.destination(), connector.bound, host_keys, seconds, found, owner)
    return read
