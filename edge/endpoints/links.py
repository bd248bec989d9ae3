"""`GET /c/<token>` and `GET /v/<token>`: the reader of a mailing follows a link, or opens it on the web.

The reader reaches the target whatever else fails. There is no cookie check: the mapping is stored before the redirect,
and an id that is given here is confirmed by the pixel of the page that the link leads to. Until then it takes nobody's
match away, because whatever looks at links for a reader follows them too.
"""

from dataclasses import dataclass

from core import buckets, clock, user_ids
from core.errors import InvalidParameterError, OverQuotaError, UnavailableError
from core.ids.nobody import NO_WORDS, OwnWords, why_nobody
from core.inbox import InboxKind
from core.keys import TokenSigner
from core.limits import RequestLimits, is_sound_id
from core.messages import Sync, encode
from core.query import QueryString
from edge import responses, unattended
from edge.cookies import CookieJar
from edge.group_commit import RowAppender, RowRefusedError
from edge.request import EdgeRequest
from edge.responses import EdgeResponse
from edge.sections.platforms import Platforms, SyncPlatform
from edge.shares import Shares
from edge.snapshot import Section, Snapshot
from profiles.personal.protection import is_personal_id
from usersync.consent import CONSENT_PARAMETERS, ConsentJudge
from usersync.links import PATHS, LinkKind, MailingLink, read_link

_DONE = {LinkKind.CLICK: "clicked", LinkKind.VIEW: "viewed"}
_KINDS = {path: kind for kind, path in PATHS.items()}
_PREFIX = 3
_UNEXPANDED = frozenset("<>[]{}%$")
"""What mailing systems write around a placeholder, and no contact's id holds."""

_BAD_TOKEN = responses.plain(404, "bad-token", "this link is incomplete or has been changed")


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkEndpoint:
    inbox: RowAppender
    snapshot: Snapshot
    platforms: Section[Platforms]
    tokens: TokenSigner
    jar: CookieJar
    limits: RequestLimits
    judge: ConsentJudge
    shares: Shares

    async def handle(self, request: EdgeRequest) -> EdgeResponse:
        """Redirect to the signed target; the named status says whether the reader was matched, and if not, why."""
        request.require_method(("GET",))
        token, _, tail = request.raw_path[_PREFIX:].partition(b"&")
        link = read_link(self.tokens, token.decode("latin-1"))
        if link is None or link.kind != _KINDS.get(request.path[:_PREFIX]):
            return _BAD_TOKEN
        query = QueryString(tail + b"&" + request.raw_query)  # a mailing that appends `&u=` to a link without query
        try:
            name, cookies = await self._match(link, query, request)
        except (UnavailableError, RowRefusedError):
            name, cookies = "unavailable", []
        except OverQuotaError:
            name, cookies = "over-quota", []
        return responses.redirect(name, link.target.encode("ascii"), *cookies)

    async def _match(self, link: MailingLink, query: QueryString, request: EdgeRequest) -> tuple[str, list[bytes]]:
        if request.is_unattended:
            return unattended.STATUS, []
        if request.opted_out:
            return "opted-out", []
        platform = self.snapshot.configuration[self.platforms].get(str(link.platform))
        contact = self._contact(query, platform.own_words if platform else NO_WORDS)
        if contact is None:
            return "no-id", []
        if platform is None:
            return "no-platform", []
        if not self._permitted(platform, query, request):
            return "consent-denied", []
        self.shares.of(platform.customer, platform.limits).take(len(request.raw_query))
        user = request.cookie or str(user_ids.new())
        await self._store(platform, user, contact, link, unconfirmed=request.cookie is None)
        return _DONE[link.kind], [] if request.cookie else [self.jar.write(user)]

    def _contact(self, query: QueryString, own: OwnWords) -> str | None:
        """Returns the contact's id on the platform, or None if the mailing system did not fill in one."""
        contact = query.values.get("u")
        if not contact or "u" in query.repeated or not _UNEXPANDED.isdisjoint(contact):
            return None
        if not is_sound_id(contact, self.limits.id_bytes) or why_nobody("platform", contact, own):
            return None
        return None if is_personal_id(contact) else contact

    def _permitted(self, platform: SyncPlatform, query: QueryString, request: EdgeRequest) -> bool:
        """A signal that is repeated or unreadable permits nothing, but keeps nobody from the target."""
        try:
            unambiguous = CONSENT_PARAMETERS.isdisjoint(query.repeated)
            return unambiguous and self.judge.permits(platform.consent_mode, query.values, gpc=request.gpc)
        except InvalidParameterError:
            return False

    async def _store(
        self, platform: SyncPlatform, user: str, contact: str, link: MailingLink, *, unconfirmed: bool
    ) -> None:
        now = clock.now_ms()
        extra = {"mailing": link.mailing} if link.mailing else {}
        row = Sync(platform.customer, platform.pl, user, contact, now, extra=extra, unconfirmed=unconfirmed)
        await self.inbox.append(buckets.of_value(contact), InboxKind.SYNC, encode(row))
