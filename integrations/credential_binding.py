"""Credentials go only to the addresses that they were given for.

Whoever may change a platform's address must not be able to have its stored credentials sent there. So the origins
(scheme, host and port) to which a connector would send them are stored with them, encrypted, when they are given. They
are compared when the connector is set up, and again with the address of each request and upload.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from integrations.errors import MisconfiguredError

Origins = frozenset[str]

PORTS = {"http": 80, "https": 443}
ADDRESSES = ("http://", "https://")


class BoundCredentials(dict[str, Any]):
    """Credentials as they are stored: `origins` are those for which they were given."""

    def __init__(self, given: Mapping[str, Any], origins: Origins) -> None:
        super().__init__(given)
        self.origins = origins

    @property
    def is_secret(self) -> bool:
        """Whether there is anything to protect; some platforms have no credentials."""
        return bool(self) and dict(self) != {"type": "none"}


def origin_of(url: str) -> str:
    """Return scheme, host and port of an address, which may end in placeholders.

    The parser is that of the HTTP client, so nobody can write an address that the two read differently. Raises
    `MisconfiguredError` if there is no host, or a placeholder in it.
    """
    try:
        parts = parse_url(url)
    except LocationParseError:
        parts = None
    if parts is None or parts.scheme not in PORTS or not parts.host or "{" in parts.host:
        raise MisconfiguredError("the address must begin with http:// or https:// and a host without placeholders")
    return server(parts.scheme, parts.host, PORTS[parts.scheme] if parts.port is None else parts.port)


def server(scheme: str, host: str, port: int) -> str:
    """Return the origin of a server."""
    name = host.strip("[]").lower().rstrip(".")
    return f"{scheme}://{f'[{name}]' if ':' in name else name}:{port}"


def origins_in(document: Any) -> Origins:
    """Return the origins of all http addresses among the texts of a JSON document."""
    return frozenset(_origins(document))


def _origins(document: Any) -> Iterator[str]:
    if isinstance(document, str) and document.lower().startswith(ADDRESSES):
        yield origin_of(document)
    elif isinstance(document, Mapping):
        for value in document.values():
            yield from _origins(value)
    elif isinstance(document, list | tuple):
        for value in document:
            yield from _origins(value)


def check_origins(bound: BoundCredentials | None, origins: Iterable[str]) -> None:
    """Raise `MisconfiguredError` if credentials would go where they were not given for. None: they are not stored."""
    if bound is None or not bound.is_secret:
        return
    others = sorted(set(origins) - bound.origins)
    if others:
        given = f" were given for {', '.join(sorted(bound.origins))}" if bound.origins else " must be given again"
        raise MisconfiguredError(f"the credentials{given}, and not for {', '.join(others)}: enter them again")
