"""What neither ASGI nor the server offers: closing a connection without a response, and a response before the response.

The process owns the socket, and finds its end of the connection by the address of the sender.
"""

import os
import socket
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

OPEN_FILES = "/dev/fd"


EARLY_HINTS = b"HTTP/1.1 %d Early Hints\r\nlink: </style.css>; rel=preload; as=style\r\n\r\n"


def hang_up(client: tuple[str, int]) -> bool:
    """Shut down the connection whose other end is `client`. Return whether there was one."""
    return _with_connection(client, lambda connection: connection.shutdown(socket.SHUT_RDWR))


def say_before(client: tuple[str, int], status: int) -> bool:
    """Send an answer that only informs. Return whether there was such a connection."""
    return _with_connection(client, lambda connection: connection.sendall(EARLY_HINTS % status))


def _with_connection(client: tuple[str, int], act: Callable[[socket.socket], None]) -> bool:
    for entry in list(Path(OPEN_FILES).iterdir()):
        with _connection(int(entry.name)) as connection:
            if connection is not None and _peer(connection) == client:
                act(connection)
                return True
    return False


@contextmanager
def _connection(number: int) -> Iterator[socket.socket | None]:
    try:
        duplicate = os.dup(number)
    except OSError:  # closed meanwhile
        yield None
        return
    if not stat.S_ISSOCK(os.fstat(duplicate).st_mode):
        os.close(duplicate)
        yield None
        return
    with socket.socket(fileno=duplicate) as connection:
        yield connection


def _peer(connection: socket.socket) -> tuple[str, int] | None:
    try:
        name = connection.getpeername()
    except OSError:  # listening, or already gone
        return None
    return (name[0], name[1]) if isinstance(name, tuple) else None
