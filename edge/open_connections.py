"""The open connections of one edge process: no address, and no crowd of addresses, takes the places of the others.

Nobody is refused for what another client holds. Where a new connection finds all places taken, those give way whose
clients have kept the edge waiting the longest: for a request, for its body, or for reading a response.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Protocol

_SHARE = 16  # of the places, one in so many is freed at once, so that a flood does not cost a search a connection
_NETWORK = 64  # bits of an IPv6 address that name a site


@dataclass(frozen=True, slots=True)
class ConnectionPlaces:
    """How many connections there may be: of one process, and of one address in it."""

    of_process: int = 20_000
    of_address: int = 1_000


class OpenConnection(Protocol):
    """`since`: when it was last busy. `waits_for_client`: there is nothing to do before its client does something."""

    address: str
    since: float

    @property
    def waits_for_client(self) -> bool: ...

    def drop(self) -> None:
        """End it at once, whatever is under way."""
        ...

    def close(self) -> None: ...

    def expire(self, now: float) -> None: ...


class OpenConnections:
    """`on_drop` is called with how many had to give way."""

    def __init__(self, places: ConnectionPlaces, on_drop: Callable[[int], None]) -> None:
        self._places = places
        self._on_drop = on_drop
        self._all: set[OpenConnection] = set()
        self._of_address: defaultdict[str, set[OpenConnection]] = defaultdict(set)

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[OpenConnection]:
        return iter(self._all)

    def add(self, connection: OpenConnection) -> None:
        """Give the connection a place. If nobody's can be freed, it is the one that ends."""
        crowd = self._of_address[connection.address]
        crowd.add(connection)
        self._all.add(connection)
        if len(crowd) > self._places.of_address:
            self._make_room(crowd, connection)
        elif len(self._all) > self._places.of_process:
            self._make_room(self._all, connection)

    def discard(self, connection: OpenConnection) -> None:
        self._all.discard(connection)
        crowd = self._of_address[connection.address]
        crowd.discard(connection)
        if not crowd:
            del self._of_address[connection.address]

    def _make_room(self, crowd: Collection[OpenConnection], newest: OpenConnection) -> None:
        waiting = [one for one in crowd if one is not newest and one.waits_for_client]
        waiting.sort(key=lambda one: one.since)
        dropped = waiting[: 1 + len(crowd) // _SHARE] or [newest]
        self._on_drop(len(dropped))
        for one in dropped:
            self.discard(one)
            one.drop()


def site_of(host: str) -> str:
    """Returns whom an address counts for: itself, or its network where that is IPv6."""
    if ":" not in host:
        return host
    try:
        return str(int(ip_address(host.partition("%")[0])) >> (128 - _NETWORK))
    except ValueError:
        return host
