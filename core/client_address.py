"""Where a request comes from: the address of its connection, or what a trusted proxy says of it. No Django here."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network
LONGEST_NETWORK = 49  # an IPv6 address that ends with an IPv4 one, and its prefix length


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Return addresses and CIDR ranges as networks. Raises ValueError, which names the one that is none."""
    return tuple(_network(text) for text in texts)


def is_within(address: str, ranges: Iterable[Network]) -> bool:
    """Tell whether the address is in one of the ranges; what is no address is in none."""
    found = _address(address)
    return found is not None and any(found in network for network in ranges)


@dataclass(frozen=True, slots=True)
class TrustedProxies:
    """The proxies whose `X-Forwarded-For` is believed; none: the connection's own address counts."""

    ranges: tuple[Network, ...] = ()

    def client(self, peer: str, forwarded: str) -> str:
        """Return the client's address; empty where the connection has none.

        The header is read from its end: every proxy appends whom it speaks to, and what stands before the first
        address that is no trusted proxy was written by the client.
        """
        client = _plain(peer)
        for entry in reversed(forwarded.split(",") if forwarded else []):
            if not is_within(client, self.ranges) or _address(entry.strip()) is None:
                break
            client = _plain(entry.strip())
        return client

    def of(self, meta: Mapping[str, str]) -> str:
        """Return the client's address of a WSGI request."""
        return self.client(meta.get("REMOTE_ADDR", ""), meta.get("HTTP_X_FORWARDED_FOR", ""))


def _network(text: str) -> Network:
    try:
        return ip_network(text)
    except ValueError:
        raise ValueError(f"“{text[:LONGEST_NETWORK]}” is no address and no range like 192.0.2.0/24") from None


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """Return an address; an IPv4 one that is written as IPv6 is the IPv4 one."""
    try:
        found = ip_address(text)
    except ValueError:
        return None
    return found.ipv4_mapped or found if isinstance(found, IPv6Address) else found


def _plain(text: str) -> str:
    found = _address(text)
    return "" if found is None else str(found)
