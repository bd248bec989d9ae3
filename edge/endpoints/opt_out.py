"""`GET /opt-out` and `GET /opt-in`: whether a browser wants to be known at all, anywhere in the hub.

Both may be asked any number of times, by anybody's link or image. Opting out by mistake hurts nobody, so any
request may do it; opting in needs a person who opens the page.
"""

from core import clock, user_ids
from core.inbox import InboxKind
from core.messages import OptOutChoice, encode
from edge import answers
from edge.answers import Answer
from edge.cookies import CookieJar
from edge.endpoints import opt_out_pages
from edge.group_commit import Inbox
from edge.request import Request
from usersync import sync_cookie

_BACK = b"/opt-out?_ck=1"
_OPENED = frozenset({b"", b"document"})
"""`Sec-Fetch-Dest` of a page that a person opened; older browsers send none."""


class ChoiceRoutes:
    def __init__(self, inbox: Inbox, jar: CookieJar) -> None:
        self._inbox = inbox
        self._jar = jar

    async def opt_out(self, request: Request) -> Answer:
        """Stored before it is answered; a browser that has no such cookie yet comes back once, to show it."""
        _check_method(request)
        await self._store(InboxKind.OPT_OUT, request)
        if request.opted_out:
            return opt_out_pages.opted_out(*self._opt_out_cookies())
        if b"_ck" in request.raw_query:
            return opt_out_pages.COOKIE_REFUSED
        return answers.redirect("cookie-check", _BACK, *(cookie for _, cookie in self._opt_out_cookies()))

    async def opt_in(self, request: Request) -> Answer:
        _check_method(request)
        if request.header(b"sec-fetch-dest") not in _OPENED or b"prefetch" in request.header(b"sec-purpose"):
            return opt_out_pages.NOT_OPENED
        await self._store(InboxKind.OPT_IN, request)
        return opt_out_pages.opted_in((b"set-cookie", self._jar.opt_in))

    async def _store(self, kind: InboxKind, request: Request) -> None:
        """For the id that the browser is known by; a browser without one has only its cookie."""
        if request.cookie is not None:
            choice = OptOutChoice(request.cookie, clock.now_ms())
            await self._inbox.append(user_ids.bucket_of(request.cookie), kind, encode(choice))

    def _opt_out_cookies(self) -> list[answers.Header]:
        written = (self._jar.opt_out, self._jar.forget, self._jar.drop(sync_cookie.COOKIE_NAME))
        return [(b"set-cookie", cookie) for cookie in written]


def _check_method(request: Request) -> None:
    if request.method != "GET":
        raise answers.bad_method("GET")
