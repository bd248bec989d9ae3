"""`GET /opt-out` and `GET /opt-in`: whether a browser may be recognised at all, anywhere in the hub.

Both may be requested any number of times, by anybody's link or image. Opting out by mistake hurts nobody, so any
request may do it; opting in needs a person who opens the page.
"""

from dataclasses import dataclass

from core import clock, user_ids
from core.inbox import InboxKind
from core.messages import OptOutChoice, encode
from edge import responses
from edge.cookies import CookieJar
from edge.endpoints import opt_out_pages
from edge.group_commit import RowAppender
from edge.request import EdgeRequest
from edge.responses import EdgeResponse, Header
from usersync import sync_cookie

_BACK = b"/opt-out?_ck=1"
_OPENED = frozenset({b"", b"document"})
"""`Sec-Fetch-Dest` of a page that a person opened; older browsers send none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OptOutEndpoints:
    inbox: RowAppender
    jar: CookieJar

    async def opt_out(self, request: EdgeRequest) -> EdgeResponse:
        """Store the choice, then respond. A browser without the cookie is given it and redirected once, to show it."""
        request.require_method(("GET",))
        await self._store(InboxKind.OPT_OUT, request)
        if request.opted_out:
            return opt_out_pages.opted_out(*self._opt_out_cookies())
        if b"_ck" in request.raw_query:
            return opt_out_pages.COOKIE_REFUSED
        return responses.redirect("cookie-check", _BACK, *(cookie for _, cookie in self._opt_out_cookies()))

    async def opt_in(self, request: EdgeRequest) -> EdgeResponse:
        request.require_method(("GET",))
        if request.header(b"sec-fetch-dest") not in _OPENED or request.is_unattended:
            return opt_out_pages.NOT_OPENED
        await self._store(InboxKind.OPT_IN, request)
        return opt_out_pages.opted_in((b"set-cookie", self.jar.opt_in))

    async def _store(self, kind: InboxKind, request: EdgeRequest) -> None:
        """Store the choice for the id of the browser; a browser without an id has only its cookie."""
        if request.cookie is not None:
            choice = OptOutChoice(request.cookie, clock.now_ms())
            await self.inbox.append(user_ids.bucket_of(request.cookie), kind, encode(choice))

    def _opt_out_cookies(self) -> list[Header]:
        written = (self.jar.opt_out, self.jar.forget, self.jar.drop(sync_cookie.COOKIE_NAME))
        return [(b"set-cookie", cookie) for cookie in written]
