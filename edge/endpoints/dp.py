"""`GET|POST /dp`: data about a user, from a browser's pixel or from a server."""

from dataclasses import dataclass
from typing import Any

from core import buckets, clock, user_ids
from core.errors import InvalidParameterError
from core.ids.left_out import LeftOut
from core.inbox import InboxKind
from core.limits import RequestLimits
from core.messages import Confirm, Event, Id, encode
from core.query import QueryString
from edge import responses, unattended
from edge.body import check_size
from edge.cookies import CookieCheck, CookieCheckSigner, CookieJar
from edge.group_commit import RowAppender
from edge.request import EdgeRequest
from edge.responses import EdgeResponse
from edge.sections.pixels import COLLECTION, CollectingPixel, SigningSecrets, named_pixel
from edge.shares import Share, Shares
from edge.snapshot import Section, Snapshot
from edge.sync_redirects import SyncRedirects
from profiles.events.data import BadDataError, parse_data
from profiles.events.dimensions import DIMENSIONS, dimensions_in
from profiles.events.ids import ID_PARAMETERS
from profiles.events.times import event_time
from usersync import consent
from usersync.authentication import check_body, check_signature
from usersync.consent import ConsentJudge

_OWN = {
    *("m", "id", "t", "data", "uuid", "at", "_ck", "_nr", "_check"),
    *("ts", "sig", "alg", "body_sha256"),
}
_KNOWN = _OWN | ID_PARAMETERS | consent.CONSENT_PARAMETERS | DIMENSIONS.keys()
_TYPES = frozenset({"js", "gif"})
_NO_DATA: dict[str, Any] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class DpEndpoint:
    """Answers `/dp` by the contract's table; an event is promised when its row is committed."""

    inbox: RowAppender
    snapshot: Snapshot
    signer: CookieCheckSigner
    jar: CookieJar
    limits: RequestLimits
    judge: ConsentJudge
    redirects: SyncRedirects
    shares: Shares
    signing: Section[SigningSecrets]

    async def handle(self, request: EdgeRequest) -> EdgeResponse:
        request.require_method(("GET", "POST"))
        collection = self.snapshot.configuration[COLLECTION]
        query = request.query()
        values = query.values
        query.refuse_repeated(_KNOWN)
        pixel = named_pixel(values, collection)
        if pixel.signed and "_ck" not in values:  # what `_ck` says was signed by the hub itself
            secrets = self.snapshot.configuration[self.signing].get(pixel.id, ())
            check_signature(request.method, request.path, query, secrets, clock.now_seconds())
        if values.get("t", "js") not in _TYPES:
            raise InvalidParameterError("t")
        if request.is_unattended:
            return responses.gif(unattended.STATUS) if values.get("t") == "gif" else responses.WHEN_SHOWN
        share = self.shares.of(pixel.customer, pixel.limits)
        await share.enter(len(request.raw_query))
        now = clock.now_ms()
        if request.opted_out:
            return _empty(query, "opted-out")
        if not self.judge.permits(pixel.consent_mode, values, gpc=request.gpc):
            return _empty(query, "consent-denied")
        if "_ck" in values:
            return await self._confirm(request, query, pixel, now)
        named = user_ids.of_parameter(values)
        at = event_time(values, now)
        nobody: list[LeftOut] = []
        ids = pixel.ids.parameters(values, nobody)
        raw, data = await self._data(request, query, pixel, share)
        if pixel.user_key and data:
            ids = pixel.ids.user_key(data, pixel.user_key, nobody) + ids
        user, ids = _whom(request.cookie, named, ids, signed=pixel.signed)
        event = Event(pixel.customer, pixel.id, at, user, user is not None, ids, nobody=nobody)
        event.dimensions = pixel.protection.dimensions(dimensions_in(values, self.limits.dimension_bytes))
        if user is None and not (pixel.signed and ids):
            return await self._meet(event, raw, query)
        bucket = user_ids.bucket_of(user) if user else buckets.of_value(ids[0][1])
        await self.inbox.append(bucket, InboxKind.EVENT, encode(event), raw)
        return self._synced(request, query, pixel, "accepted")

    async def _data(
        self, request: EdgeRequest, query: QueryString, pixel: CollectingPixel, share: Share
    ) -> tuple[bytes | None, dict[str, Any]]:
        """Returns the JSON and what it says, without personal data in clear; None and nothing for a page view."""
        raw = await request.body(self.limits, share)
        if raw and pixel.signed:
            check_body(query.values, raw)
        if "data" in query.values:
            text = query.values["data"]
            if raw or text is None:
                raise InvalidParameterError("data")
            raw = text.encode()
        if not raw:
            return None, _NO_DATA
        check_size(len(raw), self.limits)
        try:
            return pixel.protection.data(raw, parse_data(raw, self.limits.data_depth))
        except BadDataError:
            raise InvalidParameterError("data") from None

    async def _meet(self, event: Event, raw: bytes | None, query: QueryString) -> EdgeResponse:
        """Keep the data of a user who is new to the hub, and hand out an id."""
        new = str(user_ids.new())
        if event.ids:
            bucket = buckets.of_value(event.ids[0][1])
        else:
            bucket, event.user = user_ids.bucket_of(new), new
        await self.inbox.append(bucket, InboxKind.EVENT, encode(event), raw)
        cookie = self.jar.write(new)
        if query.values.get("_nr") == "1":
            return _empty_with_cookie(query, cookie)
        check = CookieCheck(event.customer, new, clock.now_seconds(), event.ids)
        location = _location(query, self.signer.sign(check))
        return responses.redirect("cookie-check", location, cookie)

    async def _confirm(
        self, request: EdgeRequest, query: QueryString, pixel: CollectingPixel, now: int
    ) -> EdgeResponse:
        """The second half of a cookie check: store whether the browser kept the id it was given."""
        check = self.signer.read(query.values["_ck"] or "")
        if check is None or check.customer != pixel.customer:
            raise InvalidParameterError("_ck")
        if request.cookie != check.user:
            return _empty(query, "no-cookie")
        row = Confirm(pixel.customer, check.user, now, check.ids)
        await self.inbox.append(user_ids.bucket_of(check.user), InboxKind.CONFIRM, encode(row))
        return self._synced(request, query, pixel, "confirmed")

    def _synced(self, request: EdgeRequest, query: QueryString, pixel: CollectingPixel, name: str) -> EdgeResponse:
        """Respond to what was kept; an image is sent on through the syncs that are due."""
        if query.values.get("t") != "gif":
            return responses.script(name)
        return self.redirects.start(request, query.values, pixel.id, name) or responses.gif(name)


def _whom(cookie: str | None, named: str | None, ids: list[Id], *, signed: bool) -> tuple[str | None, list[Id]]:
    """Returns our user id and the other ids that the request names.

    No cookie is signed. Whoever sends a signed request again from another browser must not join that browser to whom
    the request names: so where a signed request names anybody, the cookie counts for nothing.
    """
    if cookie is None or (signed and (named or ids)):
        return named, ids
    if named is None or named == cookie:
        return cookie, ids
    return named, [("cookie", cookie), *ids]


def _empty(query: QueryString, name: str) -> EdgeResponse:
    return responses.gif(name) if query.values.get("t") == "gif" else responses.script(name)


def _empty_with_cookie(query: QueryString, cookie: bytes) -> EdgeResponse:
    if query.values.get("t") == "gif":
        return responses.gif_with_cookie("accepted", cookie)
    return responses.script_with_cookie("accepted", cookie)


def _location(query: QueryString, check: bytes) -> bytes:
    values = query.values
    kind = values.get("t") or "js"
    address = f"/dp?m={values['m']}&id={values['id']}&t={kind}".encode()
    no_sync = b"&_check=1" if values.get("_check") == "1" else b""
    return address + no_sync + consent.carried(query.raw) + b"&_ck=" + check
