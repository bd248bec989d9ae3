"""Closing a connection without a response, which neither ASGI nor the server offers.

The process owns the socket. It finds its end of the connection by the address of the sender and shuts it down, so the
sender sees that the connection closes without a response.
"""

import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

OPEN_FILES = "/dev/fd"


def hang_up(client: tuple[str, int]) -> bool:
    """Shut down the connection whose other end is `client`. Return whether there was one."""
    for entry in list(Path(OPEN_FILES).iterdir()):
        with _connection(int(entry.name)) as connection:
            if connection is not None and _peer(connection) == client:
                connection.shutdown(socket.SHUT_RDWR)
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
