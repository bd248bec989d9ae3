"""`GET /uid`: a platform tells us its id for the user in our cookie."""

from dataclasses import dataclass

from core import buckets, clock, user_ids
from core.errors import InvalidParameterError
from core.ids.nobody import Nobody, why_nobody
from core.inbox import InboxKind
from core.limits import RequestLimits, is_sound_id
from core.messages import Sync, encode
from core.patterns import whole
from core.query import QueryString
from edge import responses, unattended
from edge.cookies import CookieJar
from edge.group_commit import RowAppender
from edge.request import EdgeRequest
from edge.responses import EdgeResponse
from edge.sections.platforms import Platforms, SyncPlatform
from edge.shares import Shares
from edge.snapshot import Section, Snapshot
from edge.sync_redirects import SyncRedirects
from profiles.personal.protection import check_platform_id
from usersync.authentication import check_signature, check_token
from usersync.consent import CONSENT_PARAMETERS, ConsentJudge

_KNOWN = CONSENT_PARAMETERS | {"userid", "pl", "plsec", "plcsec", "ts", "sig", "alg", "dc", "ttl", "uuid", "t", "_ck"}
_TYPES = frozenset({"gif", "js"})
_TTL = whole(r"[0-9]{1,4}+")
_DATA_CENTRE = whole(r"[A-Za-z0-9_-]{1,32}+")


@dataclass(frozen=True, slots=True, kw_only=True)
class UidEndpoint:
    """Answers `/uid` by the contract's table; a mapping is promised when its row is committed."""

    inbox: RowAppender
    snapshot: Snapshot
    platforms: Section[Platforms]
    jar: CookieJar
    limits: RequestLimits
    judge: ConsentJudge
    redirects: SyncRedirects
    shares: Shares

    async def handle(self, request: EdgeRequest) -> EdgeResponse:
        request.require_method(("GET",))
        platforms = self.snapshot.configuration[self.platforms]
        query = request.query()
        query.refuse_repeated(_KNOWN)
        platform = _platform(query, platforms)
        user_id, is_nobody = self._platform_user_id(query, platform)
        _authenticate(platform, request, query)
        ttl = _ttl(query)
        named = _uuid(query, platform)
        if query.values.get("t", "gif") not in _TYPES:
            raise InvalidParameterError("t")
        if request.is_unattended:
            return _empty(query, unattended.STATUS)
        await self.shares.of(platform.customer, platform.limits).enter(len(request.raw_query))
        if request.opted_out:
            return _empty(query, "opted-out")
        if not self.judge.permits(platform.consent_mode, query.values, gpc=request.gpc):
            return _empty(query, "consent-denied")
        if is_nobody:
            return self._onward(platform, request, query, "no-id")
        user = named or request.cookie
        if user is None:
            return self._check_cookie(request, query)
        await self._store(platform, user, user_id, ttl, query)
        return self._onward(platform, request, query, "stored" if user_id else "cleared")

    def _onward(self, platform: SyncPlatform, request: EdgeRequest, query: QueryString, name: str) -> EdgeResponse:
        return self.redirects.go_on(request, query.values, platform.pl, name) or _empty(query, name)

    def _platform_user_id(self, query: QueryString, platform: SyncPlatform) -> tuple[str, bool]:
        """Returns the platform's id, and whether it names nobody. An empty one removes the user's."""
        user_id = query.values.get("userid")
        if user_id is None or not is_sound_id(user_id, self.limits.id_bytes):
            raise InvalidParameterError("userid")
        why = why_nobody("platform", user_id, platform.own_words) if user_id else None
        if why is Nobody.MACRO:
            raise InvalidParameterError("userid")
        check_platform_id(user_id)
        return user_id, why is not None

    def _check_cookie(self, request: EdgeRequest, query: QueryString) -> EdgeResponse:
        if "_ck" in query.values:
            return _empty(query, "no-cookie")
        location = b"/uid?" + request.raw_query + b"&_ck=1"
        return responses.redirect("cookie-check", location, self.jar.write(user_ids.new()))

    async def _store(
        self, platform: SyncPlatform, user: str, user_id: str, ttl: int | None, query: QueryString
    ) -> None:
        centre = query.values.get("dc")
        extra = {"dc": centre} if centre and _DATA_CENTRE(centre) else {}
        now = clock.now_ms()
        row = Sync(platform.customer, platform.pl, user, user_id, now, ttl_days=ttl, extra=extra)
        bucket = buckets.of_value(user_id) if user_id else user_ids.bucket_of(user)
        await self.inbox.append(bucket, InboxKind.SYNC, encode(row))


def _empty(query: QueryString, name: str) -> EdgeResponse:
    return responses.script(name) if query.values.get("t") == "js" else responses.gif(name)


def _platform(query: QueryString, platforms: Platforms) -> SyncPlatform:
    platform = platforms.get(query.values.get("pl") or "")
    if platform is None:
        raise InvalidParameterError("pl")
    return platform


def _authenticate(platform: SyncPlatform, request: EdgeRequest, query: QueryString) -> None:
    if platform.signed:
        check_signature(request.method, request.path, query, platform.secrets, clock.now_seconds())
    else:
        check_token(query.values, platform.secrets)


def _ttl(query: QueryString) -> int | None:
    if "ttl" not in query.values:
        return None
    text = query.values["ttl"] or ""
    if not _TTL(text) or not 1 <= int(text) <= 3650:
        raise InvalidParameterError("ttl")
    return int(text)


def _uuid(query: QueryString, platform: SyncPlatform) -> str | None:
    """Returns our user id, which only a platform that signs may name: anybody else could name anybody."""
    user = user_ids.of_parameter(query.values)
    if user is not None and not platform.signed:
        raise InvalidParameterError("uuid")
    return user
