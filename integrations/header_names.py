"""The headers that nobody may name who writes a platform's settings, whatever the connector.

Credentials are bound to the origins of the settings (`credential_binding`). A header that a proxy or server routes by
would send them to somebody else at that origin, so settings may name none. Nor may they name what says who the hub is:
that belongs to the credentials, which are sealed and never shown. What frames a message is written by the HTTP client.
"""

from collections.abc import Iterable

from core.patterns import whole
from integrations.errors import MisconfiguredError

_TOKEN = whole(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}+")
"""A header's name by RFC 9110. `Host ` or `{{name}}` is none."""

# where a request goes, and where it ends: for one connection only, or read by whatever stands in front of a server
_ROUTES = {"host", "forwarded", "via", "expect", "x-real-ip", "x-original-url", "x-original-host", "x-rewrite-url"}
_FRAMES = {"content-length", "transfer-encoding", "te", "trailer", "connection", "keep-alive", "upgrade"}
_OF_THE_CONNECTION = _ROUTES | _FRAMES | {"http2-settings"}
_ROUTING_STARTS = ("proxy-", "x-forwarded-", "x-proxy-", "x-host", "x-http-host-")
_WHO_WE_ARE = {"authorization", "cookie", "cookie2"}


def fault_of(name: str, *, is_secret: bool = False) -> str | None:
    """Returns what is wrong with the name of a header, or None.

    `is_secret`: the header is of the credentials, which may say who we are.
    """
    if not _TOKEN(name):
        return "a header's name holds letters, digits and - only"
    # servers behind CGI read `X_Forwarded_Host` as the name with hyphens
    plain = name.lower().replace("_", "-")
    if plain in _OF_THE_CONNECTION or plain.startswith(_ROUTING_STARTS):
        return f"the header {name} is the hub's own: it says where a request goes"
    if plain in _WHO_WE_ARE and not is_secret:
        return f"the header {name} belongs in the credentials"
    return None


def check(names: Iterable[str], *, is_secret: bool = False) -> None:
    """Raises MisconfiguredError for the first name that may not be sent."""
    for name in names:
        fault = fault_of(name, is_secret=is_secret)
        if fault is not None:
            raise MisconfiguredError(fault)
