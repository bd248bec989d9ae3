"""One HTTP exchange as the third parties see it: the request, the answer, and the refusal."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import msgspec

Headers = tuple[tuple[bytes, bytes], ...]
JSON_TYPE: Headers = ((b"content-type", b"application/json"),)


@dataclass(slots=True, frozen=True)
class Request:
    """`query` and `path` are as they came, still percent-encoded; header names are lower-case."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True, frozen=True)
class Answer:
    status: int
    body: bytes = b""
    headers: Headers = ()


@dataclass(slots=True)
class RefusedError(Exception):
    """What a strict third party answers to a request that breaks its rules; nothing has been applied.

    `document`: the answer's body where the third party's errors have a shape of their own.
    """

    status: int
    reason: str
    rows: list[dict[str, Any]] = field(default_factory=list)
    headers: Headers = ()
    document: dict[str, Any] | None = None

    def answer(self) -> Answer:
        """`{"status":"ERROR","error":…}`, and for batches `"rows":[{"row":<index>,"error":…}]`."""
        if self.document is not None:
            return json_answer(self.document, self.status, self.headers)
        document: dict[str, Any] = {"status": "ERROR", "error": self.reason}
        if self.rows:
            document["rows"] = self.rows
        return json_answer(document, self.status, self.headers)


def json_answer(document: object, status: int = 200, headers: Headers = ()) -> Answer:
    return Answer(status, msgspec.json.encode(document), JSON_TYPE + headers)


def method_refused(allowed: str) -> RefusedError:
    return RefusedError(405, f"use {allowed}", headers=((b"allow", allowed.encode()),))


def parameters(query: str, *, empty: bool = False) -> dict[str, str]:
    """The decoded query; Refused (400) when malformed, or when a parameter comes twice, or is empty without leave."""
    found: dict[str, str] = {}
    for name, value in _pairs(query):
        if name in found:
            raise RefusedError(400, f"parameter {name!r} comes twice")
        if not value and not empty:
            raise RefusedError(400, f"parameter {name!r} is empty")
        found[name] = value
    return found


def _pairs(query: str) -> list[tuple[str, str]]:
    if not query:
        return []
    try:
        return parse_qsl(query, keep_blank_values=True, strict_parsing=True, errors="strict")
    except ValueError as error:
        raise RefusedError(400, f"the query cannot be read: {error}") from error
