"""A proxy (HTTP CONNECT) in this process, which notes what it was asked for."""

import socket
import threading
from dataclasses import dataclass, field
from typing import Any

from tests.support.listening import accepted


@dataclass
class ConnectProxy:
    """`with` it. `asked`: the heads of all requests; `refusal`: an answer to give instead of a tunnel."""

    refusal: bytes = b""
    asked: list[str] = field(default_factory=list)

    def __enter__(self) -> "ConnectProxy":
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._run, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    @property
    def url(self) -> str:
        return f"http://hub:correct%20horse@127.0.0.1:{self.port}"

    def _run(self) -> None:
        for client in accepted(self._listener):
            threading.Thread(target=self._serve, args=[client], daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += client.recv(1)
        self.asked.append(head.decode())
        if self.refusal:
            client.sendall(self.refusal)
            client.close()
            return
        host, _, port = head.split()[1].decode().rpartition(":")
        server = socket.create_connection((host.strip("[]"), int(port)))
        client.sendall(b"HTTP/1.1 200 Connection established\r\nVia: 1.1 proxy\r\n\r\n")
        threading.Thread(target=_pass_on, args=[client, server], daemon=True).start()
        _pass_on(server, client)


def _pass_on(source: Any, target: Any) -> None:
    try:
        while data := source.recv(65_536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass
