"""One account of the generic third party as a sender uses it."""

from typing import Any
from urllib.parse import urlencode

import requests

from tests.support.sandbox_process import SandboxProcess


class GenericAccount:
    def __init__(self, sandbox: SandboxProcess, name: str) -> None:
        self.name = name
        self._sandbox = sandbox
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.auth = sandbox.credentials(name)

    def call(
        self,
        method: str,
        query: str = "",
        *,
        json: object = None,
        data: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> requests.Response:
        """`query` as it goes over the wire, percent-encoded."""
        url = self._sandbox.segments_url + (f"?{query}" if query else "")
        return self._session.request(method, url, json=json, data=data, headers=headers, timeout=10)

    def create(self, title: str) -> int:
        answer = self.call("POST", urlencode({"title": title}))
        assert answer.status_code == 200, answer.text
        return int(answer.json()["segment_id"])

    def batch(self, rows: object, method: str = "POST") -> requests.Response:
        return self.call(method, json=rows)

    def add(self, segment: int, *userids: str) -> None:
        answer = self.batch([{"segment": segment, "userid": userid} for userid in userids])
        assert answer.status_code == 200, answer.text

    def held(self) -> dict[str, Any]:
        """The account's part of `/state`."""
        held: dict[str, Any] = self._sandbox.state(self.name)["generic"][self.name]
        return held

    def members(self, segment: int) -> list[str]:
        members: list[str] = self.held()["segments"][str(segment)]["members"]
        return members
