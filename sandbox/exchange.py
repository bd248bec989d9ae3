"""One HTTP exchange as a pretend third party sees it: the request, the response, and the rejection."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import msgspec

Headers = tuple[tuple[bytes, bytes], ...]
JSON_TYPE: Headers = ((b"content-type", b"application/json"),)


@dataclass(slots=True, frozen=True)
class SandboxRequest:
    """A received request. `query` and `path` are still percent-encoded; header names are in lower case."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes

    @property
    def media_type(self) -> str:
        """The Content-Type without parameters, in lower case."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def require_json(self) -> None:
        """Raise `RejectedError` (415) unless the body is said to be JSON."""
        if self.media_type != "application/json":
            raise RejectedError(415, "Content-Type is not application/json")


@dataclass(slots=True, frozen=True)
class SandboxResponse:
    """`before`: the status of an answer that only informs (RFC 9110 § 15.2), which is sent first; 0: none."""

    status: int
    body: bytes = b""
    headers: Headers = ()
    before: int = 0


@dataclass(slots=True)
class RejectedError(Exception):
    """A request breaks a rule of the third party. Nothing has been applied.

    `document` is the body of the response, if the errors of the third party have their own form.
    """

    status: int
    reason: str
    rows: list[dict[str, Any]] = field(default_factory=list)
    headers: Headers = ()
    document: dict[str, Any] | None = None

    def response(self) -> SandboxResponse:
        """`{"status":"ERROR","error":…}`, and for batches `"rows":[{"row":<index>,"error":…}]`."""
        if self.document is not None:
            return json_response(self.document, self.status, self.headers)
        document: dict[str, Any] = {"status": "ERROR", "error": self.reason}
        if self.rows:
            document["rows"] = self.rows
        return json_response(document, self.status, self.headers)


def json_response(document: object, status: int = 200, headers: Headers = ()) -> SandboxResponse:
    return SandboxResponse(status, msgspec.json.encode(document), JSON_TYPE + headers)


def method_not_allowed(allowed: str) -> RejectedError:
    return RejectedError(405, f"use {allowed}", headers=((b"allow", allowed.encode()),))


def parameters(query: str, *, empty: bool = False) -> dict[str, str]:
    """Return the decoded query. `empty` allows empty values.

    Raises `RejectedError` (400) if the query is malformed, or a parameter comes twice or is empty.
    """
    found: dict[str, str] = {}
    for name, value in _pairs(query):
        if name in found:
            raise RejectedError(400, f"parameter {name!r} comes twice")
        if not value and not empty:
            raise RejectedError(400, f"parameter {name!r} is empty")
        found[name] = value
    return found


def _pairs(query: str) -> list[tuple[str, str]]:
    if not query:
        return []
    try:
        return parse_qsl(query, keep_blank_values=True, strict_parsing=True, errors="strict")
    except ValueError as error:
        raise RejectedError(400, f"the query cannot be read: {error}") from error
