"""Why the edge refuses a request, as HTTP: the one table from errors of the domain to statuses.

Nothing below the edge knows these statuses, and nothing parses their texts. `RequestRefusedError` is only for what the
door itself refuses: the method, and a body that arrives too slowly.
"""

from functools import cache
from typing import NamedTuple

from core.errors import (
    ConsentDeniedError,
    InputError,
    InputTooLargeError,
    InvalidKeyError,
    InvalidParameterError,
    MalformedLineError,
    OtherCustomerError,
    OverQuotaError,
    ReadOnlyKeyError,
    RefusedAddressError,
    UnnamedUserError,
)
from edge.responses import EdgeResponse, plain
from profiles.personal.protection import PersonalDataError
from usersync.authentication import ExpiredSignatureError, WrongSignatureError, WrongTokenError


class RequestRefusedError(Exception):
    """Ends the handling of a request with a response that sets, stores and redirects nothing."""

    def __init__(self, response: EdgeResponse) -> None:
        self.response = response


class Refusal(NamedTuple):
    """An HTTP status, the named status, a line of text for the sender, and when to try again (seconds; 0: never)."""

    status: int
    name: str
    text: str
    retry_after: int = 0


_STATUSES: dict[type[InputError], tuple[int, str]] = {
    ConsentDeniedError: (200, "consent-denied"),
    ExpiredSignatureError: (403, "expired"),
    InvalidKeyError: (401, "bad-key"),
    MalformedLineError: (400, "bad-line"),
    OtherCustomerError: (403, "other-customer"),
    OverQuotaError: (429, "over-quota"),
    PersonalDataError: (400, "personal-data"),
    ReadOnlyKeyError: (403, "read-only"),
    RefusedAddressError: (403, "bad-address"),
    InputTooLargeError: (413, "too-large"),
    UnnamedUserError: (400, "no-user"),
    WrongSignatureError: (403, "bad-signature"),
    WrongTokenError: (403, "bad-secret"),
}
_CHALLENGE = (b"www-authenticate", b"Bearer")

UNAVAILABLE = Refusal(503, "unavailable", "try again soon")
TOO_SLOW = plain(408, "too-slow", "the data took too long to arrive")


def refusal_of(error: InputError) -> Refusal:
    """Raises KeyError for an error that has no status here: that is a fault of the hub, not of the sender."""
    if isinstance(error, InvalidParameterError):
        return Refusal(400, f"bad-{error.parameter}", error.message)
    status, name = _STATUSES[type(error)]
    if isinstance(error, OverQuotaError):
        return Refusal(status, name, error.message, error.retry_after)
    text = f"the data {error.message}" if isinstance(error, PersonalDataError) else error.message
    return Refusal(status, name, text)


def response_to(error: InputError) -> EdgeResponse:
    return _response(refusal_of(error))


@cache
def _response(refusal: Refusal) -> EdgeResponse:
    """The texts are few: the names of parameters, and the kinds of personal data; and so are the times to wait."""
    headers = [_CHALLENGE] if refusal.status == 401 else []
    if refusal.retry_after:
        headers.append((b"retry-after", b"%d" % refusal.retry_after))
    return plain(refusal.status, refusal.name, refusal.text, *headers)


def bad_method(allowed: tuple[str, ...]) -> RequestRefusedError:
    """Returns the refusal of another method. HEAD is allowed wherever GET is."""
    methods = ", ".join(allowed).replace("GET", "GET, HEAD")
    return RequestRefusedError(plain(405, "bad-method", f"use {methods}", (b"allow", methods.encode())))
