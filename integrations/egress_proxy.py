"""The way out through a proxy (HTTP CONNECT), where the operator lets nothing leave otherwise.

The hub still resolves names itself and checks every address; the proxy is asked for the checked numeric address, so it
never resolves a name, and a name that gets another address a moment later changes nothing. The proxy itself may stand
in a private network: the operator named it.
"""

import socket
from base64 import b64encode
from urllib.parse import unquote, urlsplit

from core.patterns import prefix
from integrations.deadline import Deadline
from integrations.errors import RetriableError

_MOST_HEAD_BYTES = 8_192
_STATUS = prefix(rb"HTTP/1\.[01] ([0-9]{3})[ \r]")


def connect(proxy_url: str, address: str, port: int, seconds: float, deadline: Deadline) -> socket.socket:
    """Connect to a numeric address through the proxy. Blocks for `seconds` at most for each step.

    Raises OSError where the proxy cannot be reached, `RetriableError` where it does not let the hub through.
    """
    proxy = urlsplit(proxy_url)
    connected = socket.create_connection((proxy.hostname or "", proxy.port or 3128), seconds)
    try:
        deadline.watch(connected)
        target = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}", *_credentials(proxy.username, proxy.password)]
        connected.sendall("".join(f"{line}\r\n" for line in [*lines, ""]).encode())
        _check(_head(connected))
    except BaseException:
        connected.close()
        raise
    return connected


def _credentials(user: str | None, password: str | None) -> list[str]:
    if not user:
        return []
    given = f"{unquote(user)}:{unquote(password or '')}".encode()
    return [f"Proxy-Authorization: Basic {b64encode(given).decode()}"]


def _head(connected: socket.socket) -> bytes:
    """Read the answer's head and not a byte more: what follows comes from the platform, which may speak first."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = connected.recv(1)
        if not byte or len(head) >= _MOST_HEAD_BYTES:
            raise RetriableError("the proxy for outgoing connections gave no answer")
        head += byte
    return head


def _check(head: bytes) -> None:
    found = _STATUS(head)
    status = found.group(1).decode() if found else "nothing that is HTTP"
    if not status.startswith("2"):
        raise RetriableError(f"the proxy for outgoing connections answered {status}")
