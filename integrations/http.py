"""Outgoing HTTP. Connectors describe a request; only this module sends it.

It must never call a private address, never follow a redirect, and never hold a thread longer than it was told: an
exchange has one deadline, and a response is limited in size.
"""

import threading
from dataclasses import dataclass, field
from typing import Any

import msgspec
import requests
import urllib3
from django.conf import settings
from requests_hardened.ip_filter import InvalidIPAddress

from core.json_values import is_deeper
from integrations import header_names
from integrations.addresses import PRIVATE
from integrations.answers.meaning import EXCERPT, failure
from integrations.connections import guarded_session, under
from integrations.deadline import Deadline
from integrations.errors import (
    IntegrationError,
    MisconfiguredError,
    RefusedError,
    RetriableError,
    UnansweredError,
)

MAX_BYTES = 1 << 20
MAX_DEPTH = 64


@dataclass(frozen=True, slots=True)
class Request:
    """A request to send. `basic` (user, password), `secret_headers` and `secret_query` are never shown to anybody.

    The body of a request for a token may hold a secret too; such requests are not logged.
    """

    method: str
    url: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = field(default=None, repr=False)
    basic: tuple[str, str] | None = field(default=None, repr=False)
    secret_headers: dict[str, str] = field(default_factory=dict, repr=False)
    secret_query: dict[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Response:
    """A response: status, headers (names in lower case), and the first `MAX_BYTES` of the body."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def excerpt(self) -> str:
        """The start of the body, for messages and logs."""
        return self.body[:EXCERPT].decode("utf-8", "replace")

    def document(self) -> Any:
        """Return the body as JSON. Raises `RefusedError` for anything else, and for JSON of too many levels."""
        try:
            found = msgspec.json.decode(self.body)
        except (ValueError, RecursionError):
            raise RefusedError(f"the answer is not JSON: {self.excerpt}") from None
        if is_deeper(found, MAX_DEPTH):
            raise RefusedError(f"the answer has more than {MAX_DEPTH} levels: {self.excerpt}")
        return found

    def json_object(self) -> dict[str, Any]:
        """Return the body as a JSON object; an empty one if the body is anything else."""
        try:
            found = self.document()
        except RefusedError:
            return {}
        return found if isinstance(found, dict) else {}


_local = threading.local()


def send(request: Request, timeout: float) -> Response:
    """Send a request and return its 2xx response. Raises an error of `integrations.errors` for anything else.

    Blocks for `timeout` seconds at most.
    """
    response = exchange(request, timeout)
    if 200 <= response.status < 300:
        return response
    raise failure(response)


def _session() -> requests.Session:
    """Return this thread's session, which keeps connections open."""
    session: requests.Session | None = getattr(_local, "session", None)
    if session is None:
        session = _local.session = guarded_session(allow_private=settings.ALLOW_PRIVATE_TARGETS)
    return session


def exchange(request: Request, timeout: float) -> Response:
    """Send a request and return its response, whatever the status. Raises `integrations.errors` if none came.

    Blocks for `timeout` seconds at most, whatever the platform does: then the connection is shut down. Headers that
    `header_names` refuses are not sent, whichever connector made them: that is a `MisconfiguredError`.
    """
    header_names.check(request.headers)
    header_names.check(request.secret_headers, is_secret=True)
    with Deadline(timeout) as deadline:
        try:
            response = _exchange(request, deadline, timeout)
        except InvalidIPAddress as refused:
            raise MisconfiguredError(PRIVATE) from refused
        except (
            requests.exceptions.InvalidURL,
            requests.exceptions.InvalidSchema,
            requests.exceptions.MissingSchema,
            requests.exceptions.InvalidHeader,
            ValueError,
        ) as wrong:
            if deadline.sending and isinstance(wrong, requests.exceptions.InvalidHeader):  # a header of the response
                raise _no_answer(deadline, type(wrong).__name__) from wrong
            raise MisconfiguredError(f"the request cannot be made: {type(wrong).__name__}") from wrong
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as broken:
            raise _no_answer(deadline, type(broken).__name__) from broken
        if deadline.passed:  # the end of the body may be the end that the deadline has made
            raise _no_answer(deadline, "")
        return response


def _exchange(request: Request, deadline: Deadline, timeout: float) -> Response:
    with (
        under(deadline),
        _session().request(
            request.method,
            request.url,
            params=request.secret_query or None,
            headers={**request.headers, **request.secret_headers},
            data=request.body,
            auth=request.basic,
            timeout=timeout,
            stream=True,
        ) as received,
    ):
        headers = {name.lower(): value for name, value in received.headers.items()}
        return Response(received.status_code, headers, _read(received))


def _no_answer(deadline: Deadline, what: str) -> IntegrationError:
    """Return the error for an exchange that ended without a whole response."""
    if not deadline.sending:
        return RetriableError(f"the platform could not be reached{' in time' if deadline.passed else f': {what}'}")
    return UnansweredError("no answer in time" if deadline.passed else f"no answer: {what}")


def _read(received: requests.Response) -> bytes:
    """Return the body, or its first `MAX_BYTES`. `read1` returns what is there, so the limit holds while it comes."""
    body = b""
    while chunk := received.raw.read1(65_536, decode_content=True):
        body += chunk
        if len(body) >= MAX_BYTES:
            received.close()
            break
    return body[:MAX_BYTES]
