"""A caller of the REST API, holding one key."""

import json
from dataclasses import dataclass
from typing import Any

from rest_framework.test import APIClient

from core.models import ApiKey, Customer

BASE = "/api/v1/"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: Any
    headers: Any

    @property
    def places(self) -> list[tuple[str | None, str]]:
        """Where and why a request was refused."""
        return [(error["attr"], error["code"]) for error in self.body["errors"]]


@dataclass(frozen=True, slots=True)
class Caller:
    """`peer`: the address that the calls come from."""

    key: str | None
    peer: str = "127.0.0.1"

    def get(self, address: str, **headers: str) -> Answer:
        return self.call("get", address, None, **headers)

    def post(self, address: str, body: Any = None, **headers: str) -> Answer:
        return self.call("post", address, body, **headers)

    def patch(self, address: str, body: Any, **headers: str) -> Answer:
        return self.call("patch", address, body, **headers)

    def delete(self, address: str, **headers: str) -> Answer:
        return self.call("delete", address, None, **headers)

    def call(self, method: str, address: str, body: Any = None, **headers: str) -> Answer:
        """`address` is relative to the API, or one that the API answered with."""
        if self.key is not None:
            headers["Authorization"] = f"Bearer {self.key}"
        url = address if "://" in address else BASE + address
        response: Any = APIClient(raise_request_exception=False).generic(
            method,
            url,
            _raw(body),
            "application/json",
            headers=headers,
            REMOTE_ADDR=self.peer,
        )
        is_json = response.headers.get("Content-Type", "").startswith("application/json")
        return Answer(response.status_code, response.json() if is_json else response.getvalue(), response.headers)


def caller(role: str, customer: Customer | None = None) -> Caller:
    return Caller(ApiKey.issue(f"{role} of a test", role, customer)[1])


def _raw(body: Any) -> Any:
    """Bytes, which the client sends as they are, whatever its stubs say."""
    if body is None or isinstance(body, bytes):
        return body or b""
    return json.dumps(body).encode()
