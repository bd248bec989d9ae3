"""A wire between the edge and PostgreSQL that can be cut, or go silent."""

import contextlib
import select
import socket
import threading
from urllib.parse import parse_qs, unquote, urlsplit


class Proxy:
    """`with` it; `url` is the database's address through the wire."""

    def __init__(self, database_url: str) -> None:
        parts = urlsplit(database_url)
        options = parse_qs(parts.query)
        self._host = options.get("host", [parts.hostname or ""])[0]
        self._port = int(options.get("port", [str(parts.port or 5432)])[0])
        self._listener = socket.create_server(("127.0.0.1", 0))
        login = parts.netloc.rpartition("@")[0]
        self.url = f"postgresql://{login}@127.0.0.1:{self._listener.getsockname()[1]}{parts.path}?sslmode=disable"
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._cut = False
        self._passing = threading.Event()
        self._passing.set()

    def __enter__(self) -> "Proxy":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        self.thaw()
        self.cut()

    def cut(self) -> None:
        """Every connection ends; new ones end at once, until `mend`."""
        self._cut = True
        for pair in self._pairs:
            for end in pair:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
        self._pairs.clear()

    def mend(self) -> None:
        self._cut = False

    def freeze(self) -> None:
        """Nothing passes any more, and nobody is told."""
        self._passing.clear()

    def thaw(self) -> None:
        self._passing.set()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self._cut:
                    client.close()
                    continue
                pair = (client, self._reach())
                self._pairs.append(pair)
                threading.Thread(target=self._pass, args=pair, daemon=True).start()

    def _reach(self) -> socket.socket:
        if not self._host.startswith("/"):
            return socket.create_connection((self._host, self._port))
        server = socket.socket(socket.AF_UNIX)
        server.connect(f"{unquote(self._host)}/.s.PGSQL.{self._port}")
        return server

    def _pass(self, client: socket.socket, server: socket.socket) -> None:
        other = {client: server, server: client}
        with contextlib.suppress(OSError), client, server:
            while True:
                for end in select.select([client, server], [], [])[0]:
                    self._passing.wait()
                    data = end.recv(65536)
                    if not data:
                        return
                    other[end].sendall(data)
