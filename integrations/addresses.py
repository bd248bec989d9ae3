"""The addresses that the hub may call: public ones only, checked at the moment of connecting.

A name is resolved once, every address of it is checked, and the connection goes to the checked address itself. A name
that gets another address a moment later changes nothing.
"""

import ipaddress
import socket
from functools import lru_cache, partial

from django.conf import settings

from integrations import egress_proxy
from integrations.deadline import Deadline
from integrations.errors import MisconfiguredError, RetriableError

PRIVATE = "the address is inside a private network, where the hub does not go"
CONNECT_SECONDS = 5.0
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# ranges that are missing from Python's own list of special ranges, in all or some of its versions
BLOCKED = tuple(
    map(
        ipaddress.ip_network,
        (
            "0.0.0.0/8",
            "100.64.0.0/10",  # carrier-grade NAT
            "192.0.0.0/24",
            "192.88.99.0/24",  # 6to4 relays
            "198.18.0.0/15",
            "240.0.0.0/4",
            "64:ff9b::/96",  # NAT64
            "64:ff9b:1::/48",
            "100::/64",
            "2001::/23",  # Teredo, ORCHID
            "2002::/16",  # 6to4
            "3fff::/20",
            "5f00::/16",
            "fec0::/10",
            "::/96",  # IPv4-compatible
        ),
    )
)


@lru_cache(maxsize=1024)
def is_public(text: str) -> bool:
    """Whether the hub may call a numeric address."""
    address: Address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    special = address.is_private or address.is_loopback or address.is_link_local or address.is_multicast
    if special or address.is_reserved or address.is_unspecified:
        return False
    return not any(address.version == network.version and address in network for network in BLOCKED)


def resolve(host: str, port: int, deadline: Deadline) -> list[str]:
    """Return the numeric addresses of a host. Blocks on the name server, until the deadline at most.

    Raises `MisconfiguredError` if one of them is private (unless the hub may call private ones), `RetriableError` if
    the host has no address.
    """
    look_up = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    try:
        found = look_up() if is_numeric(host) else deadline.wait_for(look_up)
    except TimeoutError as late:
        raise RetriableError(f"the address of {host} could not be found in time") from late
    except (OSError, UnicodeError) as unknown:
        raise RetriableError(f"the name {host} has no address") from unknown
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not settings.ALLOW_PRIVATE_TARGETS and not all(is_public(address) for address in addresses):
        raise MisconfiguredError(PRIVATE)
    return addresses


def connect(host: str, port: int, deadline: Deadline) -> socket.socket:
    """Connect to one of the host's addresses; the deadline watches the socket from then on.

    Raises like `resolve`, and `RetriableError` if none accepts. Blocks for `CONNECT_SECONDS` at most for each address,
    and until the deadline at most.
    """
    last: OSError | None = None
    for address in resolve(host, port, deadline):
        if deadline.passed:
            break
        try:
            return _connect(address, port, deadline)
        except OSError as failure:
            last = failure
    late = last is None or isinstance(last, TimeoutError)
    raise RetriableError(f"{host} could not be reached{' in time' if late else ''}") from last


def _connect(address: str, port: int, deadline: Deadline) -> socket.socket:
    """Connect to a checked address, through the operator's proxy where there is one."""
    seconds = max(0.001, min(CONNECT_SECONDS, deadline.left))
    if settings.EGRESS_PROXY:
        return egress_proxy.connect(settings.EGRESS_PROXY, address, port, seconds, deadline)
    connected = socket.create_connection((address, port), seconds)
    deadline.watch(connected)
    return connected


def is_numeric(host: str) -> bool:
    """Whether a host is a plain numeric address, which needs no name server."""
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True
