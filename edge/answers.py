"""Answers: status, headers and body, made once wherever they do not depend on the request."""

from collections.abc import Iterable
from functools import cache
from typing import Any

Header = tuple[bytes, bytes]

GIF = (
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\x00\x00\x00!\xf9\x04\x01\x00\x00\x00\x00"
    b",\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
)
NO_STORE: list[Header] = [
    (b"cache-control", b"no-cache, no-store, must-revalidate"),
    (b"pragma", b"no-cache"),
    (b"expires", b"0"),
]
RETRY_AFTER: Header = (b"retry-after", b"1")


class Answer:
    """What goes back: two ASGI messages, and the named status that is also a metric."""

    __slots__ = ("body", "name", "start")

    def __init__(
        self,
        status: int,
        name: str,
        content_type: bytes = b"text/plain; charset=utf-8",
        body: bytes = b"",
        headers: Iterable[Header] = (),
    ) -> None:
        self.name = name
        self.start: dict[str, Any] = {
            "type": "http.response.start",
            "status": status,
            "headers": [
                *NO_STORE,
                (b"x-dmp-status", name.encode()),
                (b"content-type", content_type),
                (b"content-length", str(len(body)).encode()),
                *headers,
            ],
        }
        self.body: dict[str, Any] = {"type": "http.response.body", "body": body}


class RequestRefusedError(Exception):
    """Ends the handling of a request with an answer that sets, stores and redirects nothing."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer


@cache
def gif(name: str) -> Answer:
    return Answer(200, name, b"image/gif", GIF)


@cache
def script(name: str) -> Answer:
    return Answer(200, name, b"application/javascript; charset=utf-8")


def running(name: str, code: bytes) -> Answer:
    """A script that does something."""
    return Answer(200, name, b"application/javascript; charset=utf-8", code)


def gif_with_cookie(name: str, cookie: bytes) -> Answer:
    return Answer(200, name, b"image/gif", GIF, [(b"set-cookie", cookie)])


def script_with_cookie(name: str, cookie: bytes) -> Answer:
    return Answer(200, name, b"application/javascript; charset=utf-8", b"", [(b"set-cookie", cookie)])


def redirect(name: str, location: bytes, *cookies: bytes) -> Answer:
    return Answer(302, name, headers=[(b"location", location), *((b"set-cookie", cookie) for cookie in cookies)])


@cache
def plain(status: int, name: str, text: str, *headers: Header) -> Answer:
    return Answer(status, name, body=f"{text}\n".encode(), headers=headers)


def bad_method(*allowed: str) -> RequestRefusedError:
    methods = ", ".join(allowed)
    return RequestRefusedError(plain(405, "bad-method", f"use {methods}", (b"allow", methods.encode())))


TOO_SLOW = plain(408, "too-slow", "the data took too long to arrive")
UNAVAILABLE = plain(503, "unavailable", "try again soon", RETRY_AFTER)
NOT_FOUND = plain(404, "not-found", "nothing here")
FAILED = plain(500, "failed", "the request could not be handled", RETRY_AFTER)
