"""What an answer means where neither the connector nor the platform's settings say otherwise.

One function gives each answer its meaning, and one table gives each meaning the error that says what to do next.
docs/answers.md is this module for people; a test holds the two together.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING

from core.patterns import linear
from integrations.answers.waiting import asked_wait
from integrations.errors import (
    AskedToWaitError,
    BusyError,
    IntegrationError,
    MisconfiguredError,
    RateLimitedError,
    RefusedError,
    RequestTooLargeError,
    RetriableError,
    RowRefusedError,
    SegmentRefusedError,
    UnauthorizedError,
    UnclearAnswerError,
)

if TYPE_CHECKING:
    from integrations.http import Response

EXCERPT = 500


class Meaning(StrEnum):
    """What an answer to a request for rows means. `conditions` may name those that people choose from."""

    ACCEPTED = "accepted"
    EACH = "each row by itself"
    REFUSED = "refused"
    REFUSED_ROW = "refused_row"
    REFUSED_ALL = "refused_all"
    TOO_LARGE = "too large"
    BUSY = "busy"
    RETRY = "retry"
    UNCLEAR = "unclear"
    LIMITED = "limited"
    WAIT = "wait"
    CREDENTIALS = "credentials refused"
    BROKEN = "broken"
    EXISTS = "exists"


_LASTING = frozenset({301, 308})
_BUSY = frozenset({409, 423, 424, 425})
_PAGE = b"<!doctype html"
_ALONE = {
    401: Meaning.CREDENTIALS,
    403: Meaning.CREDENTIALS,
    413: Meaning.TOO_LARGE,
    429: Meaning.LIMITED,
}
# a conflict that no waiting solves
_NAMED = "of (that|this|the same) name"
_FINAL = linear(
    rf"\balready\b|exist|{_NAMED}|duplicate|archived|deleted|\bgone\b|closed|not found|immutable|read.only|expired"
    r"|disabled",
    EXCERPT,
    ignore_case=True,
)
_THERE = linear(
    rf"\balready\b|\bexists\b|{_NAMED}|duplicate|\btaken\b|\bin use\b|not unique|must be unique",
    EXCERPT,
    ignore_case=True,
)
_MAY_EXIST = frozenset({400, 409, 422})


def meaning_of(response: "Response") -> Meaning:
    """Return what the answer means by its status, its headers and, where these do not tell, its words."""
    status, waits = response.status, bool(asked_wait(response.headers))
    if 200 <= status < 300:
        if is_page(response):
            return Meaning.UNCLEAR
        return Meaning.EACH if status == 207 else Meaning.ACCEPTED
    if status == 429 or (status == 403 and waits):
        return Meaning.LIMITED
    if status in _LASTING:
        return Meaning.BROKEN
    if status == 401:
        return Meaning.CREDENTIALS
    return Meaning.WAIT if waits else of_status(status, response.excerpt)


def of_status(status: int, words: str) -> Meaning:
    """Return what a status means alone, with the words beside it: also of one result in an answer."""
    if 200 <= status < 300:
        return Meaning.ACCEPTED
    if 300 <= status < 400:
        return Meaning.BROKEN
    if status in _BUSY:
        return Meaning.REFUSED if status == 409 and _FINAL.search(words[:EXCERPT]) else Meaning.BUSY
    if status == 504 or status < 200:
        return Meaning.UNCLEAR
    if status == 408 or status >= 500:
        return Meaning.RETRY
    return _ALONE.get(status, Meaning.REFUSED)


def failure(response: "Response", meaning: Meaning | None = None, words: str | None = None) -> IntegrationError:
    """Return the error for an answer that is no success: `meaning` and `words` where somebody has decided on them."""
    said = meaning or meaning_of(response)
    text = words if words is not None else _words(response, said)
    if said in (Meaning.LIMITED, Meaning.WAIT):
        asked = asked_wait(response.headers)
        return RateLimitedError(text, asked) if said is Meaning.LIMITED else AskedToWaitError(text, asked)
    return _ERRORS.get(said, RefusedError)(text)


_ERRORS: dict[Meaning, Callable[[str], IntegrationError]] = {
    Meaning.REFUSED: RefusedError,
    Meaning.REFUSED_ROW: RowRefusedError,
    Meaning.REFUSED_ALL: SegmentRefusedError,
    Meaning.TOO_LARGE: RequestTooLargeError,
    Meaning.BUSY: BusyError,
    Meaning.RETRY: RetriableError,
    Meaning.UNCLEAR: UnclearAnswerError,
    Meaning.CREDENTIALS: UnauthorizedError,
    Meaning.BROKEN: MisconfiguredError,
}


def is_page(response: "Response") -> bool:
    """Whether a page for people came instead of an answer: of maintenance, of a log-in, of a proxy."""
    head = response.body[:200].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in {"text/html", "application/xhtml+xml"}:
        return head.startswith(b"<")
    return head.startswith(_PAGE)


def says_it_exists(status: int | None, text: str) -> bool:
    """Whether a creation was refused because there is a segment of this name."""
    return status in _MAY_EXIST and _THERE.search(text[:EXCERPT]) is not None


def _words(response: "Response", meaning: Meaning) -> str:
    if 300 <= response.status < 400:
        return _redirect(response)
    if meaning is Meaning.UNCLEAR and is_page(response):
        return f"HTTP {response.status}: a page for people instead of an answer: {response.excerpt}"
    return f"HTTP {response.status}: {response.excerpt}"


def _redirect(response: "Response") -> str:
    """Redirects are not followed: a person has to enter the address. What was sent in a query stays out of the text."""
    place = response.headers.get("location", "").partition("?")[0][:EXCERPT]
    return f"HTTP {response.status}: the address redirects{f' to {place}' if place else ''}"
