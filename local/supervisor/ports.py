"""The ports of the hub's two doors."""

import socket

HOST = "127.0.0.1"


class PortTakenError(Exception):
    """Something else listens on a port."""


def choose_ports(host: str, *wanted: int) -> list[int]:
    """The wanted ports, 0 replaced by a free one; PortTakenError where another program listens.

    Asked before anything starts: doors share ports (SO_REUSEPORT), so two hubs would share one silently.
    """
    sockets = [_bound(host, port) for port in wanted]
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    result = socket.socket(family, socket.SOCK_STREAM)
    result.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        result.bind((host, port))
    except OSError as error:
        result.close()
        raise PortTakenError(f"port {port} of {host} cannot be used: {error.strerror}") from None
    return result
