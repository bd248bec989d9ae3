"""A client that sends exactly what it is told, and follows nothing."""

import http.client
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

Fields = Mapping[str, object] | str

COMMON = {
    "cache-control": "no-cache, no-store, must-revalidate",
    "pragma": "no-cache",
    "expires": "0",
}


@dataclass(frozen=True, slots=True)
class Reply:
    """`name`: the X-DMP-Status. Header names in lower case."""

    status: int
    name: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def cookie(self) -> str | None:
        """The id that the reply's Set-Cookie gives."""
        written = self.headers.get("set-cookie")
        return written.split(";")[0].removeprefix("dmpuid=") if written else None


class Client:
    """Keeps its connection alive; opens another one where the server closed it."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)

    def close(self) -> None:
        self._connection.close()

    def send(
        self,
        method: str,
        target: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        cookie: str | None = None,
    ) -> Reply:
        sent = dict(headers or {})
        if cookie is not None:
            sent["Cookie"] = f"dmpuid={cookie}"
        try:
            return self._once(method, target, body, sent)
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            return self._once(method, target, body, sent)

    def _once(self, method: str, target: str, body: bytes | None, headers: dict[str, str]) -> Reply:
        try:
            self._connection.request(method, target, body, headers)
            response = self._connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            raise
        found = {name.lower(): value for name, value in response.getheaders()}
        return Reply(response.status, found.get("x-dmp-status", ""), found, content)

    def get(self, path: str, fields: Fields = "", *, cookie: str | None = None) -> Reply:
        return self.send("GET", target(path, fields), cookie=cookie)

    def post(self, path: str, fields: Fields, body: bytes, *, cookie: str | None = None) -> Reply:
        return self.send("POST", target(path, fields), body, cookie=cookie)


def target(path: str, fields: Fields) -> str:
    query = fields if isinstance(fields, str) else urlencode({k: str(v) for k, v in fields.items()})
    return f"{path}?{query}" if query else path
