"""A wire to a server that can become slow: it hands the answers on byte by byte, or takes in requests very slowly.

`with TricklingWire(port) as wire:` a client that connects to `wire.port` reaches the server. What matters to a test is
how many connections are open at once, and that a client hangs up instead of waiting.
"""

import socket
import threading
import time
from contextlib import suppress

from tests.support.listening import accepted

PAUSE_SECONDS = 0.1
# of a request that are taken in between two pauses
SLOW_BYTES = 500


class TricklingWire:
    """`slow_answers`, `slow_requests`: from now on. `opened`, `open`, `most_open`: connections."""

    def __init__(self, target: int) -> None:
        self.slow_answers = self.slow_requests = False
        self.opened = self.open = self.most_open = 0
        self._target = target
        self._guard = threading.Lock()
        self._over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.port = int(self._listener.getsockname()[1])

    def __enter__(self) -> "TricklingWire":
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._listener.close()

    def forget(self) -> None:
        """Count from now on; connections that are open stay uncounted."""
        with self._guard:
            self.opened = self.open = self.most_open = 0

    def _serve(self) -> None:
        for client in accepted(self._listener):
            server = socket.create_connection(("127.0.0.1", self._target))
            with self._guard:
                self.opened += 1
                self.open += 1
                self.most_open = max(self.most_open, self.open)
            threading.Thread(target=self._requests, args=(client, server), daemon=True).start()
            threading.Thread(target=self._answers, args=(server, client), daemon=True).start()

    def _requests(self, client: socket.socket, server: socket.socket) -> None:
        """Hand on until the client hangs up."""
        with suppress(OSError):
            while data := client.recv(SLOW_BYTES if self.slow_requests else 65_536):
                server.sendall(data)
                if self.slow_requests and self._over.wait(PAUSE_SECONDS):
                    break
        with self._guard:
            self.open = max(0, self.open - 1)
        _close(client, server)

    def _answers(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(65_536):
                while self.slow_answers and data and not self._over.is_set():
                    client.sendall(data[:1])
                    data = data[1:]
                    time.sleep(PAUSE_SECONDS)
                client.sendall(data)
        _close(client, server)


def _close(*connections: socket.socket) -> None:
    for one in connections:
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()
