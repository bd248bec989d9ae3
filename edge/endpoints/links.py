"""`GET /c/<token>` and `GET /v/<token>`: the reader of a mailing follows a link, or opens it on the web.

The reader reaches the target whatever else fails. One pass: the mapping is stored with the redirect, and an
id that is given here is confirmed by the page it leads to, whose pixel sees the cookie.
"""

import re

from core import buckets, clock, user_ids
from core.errors import InvalidParameterError
from core.inbox import InboxKind
from core.keys import TokenSigner
from core.limits import RequestLimits, is_sound_id
from core.messages import Sync, encode
from core.query import QueryString
from edge import answers
from edge.answers import Answer
from edge.cookies import CookieJar
from edge.group_commit import Inbox, RowRefusedError, UnavailableError
from edge.request import Request
from edge.sections.platforms import Platforms, SyncPlatform
from edge.snapshot import Section, Snapshot
from integrations.platform_user_ids import NO_ID, is_macro
from usersync.consent import CONSENT_PARAMETERS, ConsentJudge
from usersync.links import LinkKind, MailingLink, read_link

_DONE = {LinkKind.CLICK: "clicked", LinkKind.VIEW: "viewed"}
_PATHS = {"/c/": LinkKind.CLICK, "/v/": LinkKind.VIEW}
_PREFIX = 3
_UNEXPANDED = re.compile(r"[<>\[\]{}%$]")
"""What mailing systems write around a placeholder, and no contact's id holds."""

_BAD_TOKEN = answers.plain(404, "bad-token", "this link is incomplete or has been changed")


class LinkRoute:
    def __init__(
        self,
        inbox: Inbox,
        snapshot: Snapshot,
        platforms: Section[Platforms],
        tokens: TokenSigner,
        jar: CookieJar,
        limits: RequestLimits,
        judge: ConsentJudge,
    ) -> None:
        self._inbox = inbox
        self._snapshot = snapshot
        self._platforms = platforms
        self._tokens = tokens
        self._jar = jar
        self._limits = limits
        self._judge = judge

    async def handle(self, request: Request) -> Answer:
        """302 to the signed target; its status says whether the reader was matched, and if not, why."""
        if request.method != "GET":
            raise answers.bad_method("GET")
        token, _, tail = request.raw_path[_PREFIX:].partition(b"&")
        link = read_link(self._tokens, token.decode("latin-1"))
        if link is None or link.kind != _PATHS.get(request.path[:_PREFIX]):
            return _BAD_TOKEN
        query = QueryString(tail + b"&" + request.raw_query)  # a mailing that appends `&u=` to a link without query
        try:
            name, cookies = await self._match(link, query, request)
        except (UnavailableError, RowRefusedError):
            name, cookies = "unavailable", []
        return answers.redirect(name, link.target.encode("ascii"), *cookies)

    async def _match(self, link: MailingLink, query: QueryString, request: Request) -> tuple[str, list[bytes]]:
        if request.opted_out:
            return "opted-out", []
        contact = self._contact(query)
        if contact is None:
            return "no-id", []
        if self._snapshot.current is None:
            raise UnavailableError
        platform = self._snapshot.current[self._platforms].get(str(link.platform))
        if platform is None:
            return "no-platform", []
        if not self._permitted(platform, query, request):
            return "consent-denied", []
        user = request.cookie or str(user_ids.new())
        await self._store(platform, user, contact, link)
        return _DONE[link.kind], [] if request.cookie else [self._jar.write(user)]

    def _contact(self, query: QueryString) -> str | None:
        """The contact's id on the platform; None where the mailing system did not fill in one."""
        contact = query.values.get("u")
        if not contact or contact in NO_ID or "u" in query.repeated:
            return None
        if _UNEXPANDED.search(contact) or is_macro(contact) or not is_sound_id(contact, self._limits.id_bytes):
            return None
        return contact

    def _permitted(self, platform: SyncPlatform, query: QueryString, request: Request) -> bool:
        """A signal that is repeated or unreadable permits nothing, but keeps nobody from the target."""
        try:
            unambiguous = CONSENT_PARAMETERS.isdisjoint(query.repeated)
            return unambiguous and self._judge.permits(platform.consent, query.values, gpc=request.gpc)
        except InvalidParameterError:
            return False

    async def _store(self, platform: SyncPlatform, user: str, contact: str, link: MailingLink) -> None:
        now = clock.now_ms()
        extra = {"mailing": link.mailing} if link.mailing else {}
        row = Sync(platform.customer, platform.pl, user, contact, now, None, extra)
        await self._inbox.append(buckets.of_value(contact), InboxKind.SYNC, encode(row))
