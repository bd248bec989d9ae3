"""`GET|POST /dp`: data about a user, from a browser's pixel or from a server."""

from typing import Any

from core import buckets, clock, user_ids
from core.errors import InvalidParameterError
from core.inbox import InboxKind
from core.limits import RequestLimits
from core.messages import Confirm, Event, Id, encode
from core.query import QueryString
from edge import answers
from edge.answers import Answer
from edge.body import check_size
from edge.cookies import CookieJar
from edge.endpoints.redirects import Redirects
from edge.group_commit import Inbox, UnavailableError
from edge.references import Reference, Signer
from edge.request import Request
from edge.sections.pixels import COLLECTION, CollectingPixel, named
from edge.snapshot import Snapshot
from profiles.events.data import BadDataError, parse_data
from profiles.events.dimensions import DIMENSIONS, dimensions_in
from profiles.events.ids import ID_PARAMETERS, ids_in, user_key_in
from profiles.events.times import event_time
from profiles.personal.protection import Protection
from usersync import consent
from usersync.consent import ConsentJudge

_KNOWN = {"m", "id", "t", "data", "uuid", "at", "_ck", "_nr", "_check"} | ID_PARAMETERS | consent.CONSENT_PARAMETERS
_TYPES = frozenset({"js", "gif"})
_NO_DATA: dict[str, Any] = {}


class DpRoute:
    """Answers `/dp` by the contract's table; an event is promised when its row is committed."""

    def __init__(
        self,
        inbox: Inbox,
        snapshot: Snapshot,
        signer: Signer,
        jar: CookieJar,
        limits: RequestLimits,
        judge: ConsentJudge,
        redirects: Redirects,
    ) -> None:
        self._inbox = inbox
        self._snapshot = snapshot
        self._signer = signer
        self._jar = jar
        self._limits = limits
        self._judge = judge
        self._redirects = redirects

    async def handle(self, request: Request) -> Answer:
        if request.method not in {"POST", "GET"}:
            raise answers.bad_method("GET", "POST")
        if self._snapshot.current is None:
            raise UnavailableError
        query = request.query()
        values = query.values
        if query.repeated:
            _refuse_repeated(query)
        pixel = named(query.values, self._snapshot.current[COLLECTION])
        if values.get("t", "js") not in _TYPES:
            raise InvalidParameterError("t")
        now = clock.now_ms()
        if request.opted_out:
            return _empty(query, "opted-out")
        if not self._judge.permits(pixel.consent, values, gpc=request.gpc):
            return _empty(query, "consent-denied")
        if "_ck" in values:
            return await self._confirm(request, query, pixel, now)
        user = user_ids.of_parameter(values) or request.cookie
        at = event_time(values, now)
        ids = ids_in(values, self._limits)
        raw, data = await self._data(request, query, pixel.protection)
        ids = self._all_ids(request, pixel, user, data, ids)
        event = Event(pixel.customer, pixel.id, at, user, user is not None, ids)
        event.dimensions = pixel.protection.dimensions(dimensions_in(values, self._limits.dimension_bytes))
        if user is None:
            return await self._meet(event, raw, query)
        await self._inbox.append(user_ids.bucket_of(user), InboxKind.EVENT, encode(event), raw)
        return self._synced(request, query, pixel, "accepted")

    async def _data(
        self, request: Request, query: QueryString, protection: Protection
    ) -> tuple[bytes | None, dict[str, Any]]:
        """The JSON and what it says, without personal data in clear; None and nothing for a page view."""
        raw = await request.body(self._limits)
        if "data" in query.values:
            text = query.values["data"]
            if raw or text is None:
                raise InvalidParameterError("data")
            raw = text.encode()
        if not raw:
            return None, _NO_DATA
        check_size(len(raw), self._limits)
        try:
            return protection.data(raw, parse_data(raw, self._limits.data_depth))
        except BadDataError:
            raise InvalidParameterError("data") from None

    def _all_ids(
        self, request: Request, pixel: CollectingPixel, user: str | None, data: dict[str, Any], ids: list[Id]
    ) -> list[Id]:
        """What else names the user, in the order of precedence."""
        if pixel.user_key and data:
            ids = user_key_in(data, pixel.user_key, self._limits) + ids
        if request.cookie is not None and request.cookie != user:
            ids = [("cookie", request.cookie), *ids]
        return ids

    async def _meet(self, event: Event, raw: bytes | None, query: QueryString) -> Answer:
        """The first we hear of a browser, or a server: keep the data, hand out an id."""
        new = str(user_ids.new())
        if event.ids:
            bucket = buckets.of_value(event.ids[0][1])
        else:
            bucket, event.user = user_ids.bucket_of(new), new
        await self._inbox.append(bucket, InboxKind.EVENT, encode(event), raw)
        cookie = self._jar.write(new)
        if query.values.get("_nr") == "1":
            return _empty_with_cookie(query, cookie)
        reference = Reference(event.customer, new, clock.now_seconds(), event.ids)
        location = _location(query, self._signer.sign(reference))
        return answers.redirect("cookie-check", location, cookie)

    async def _confirm(self, request: Request, query: QueryString, pixel: CollectingPixel, now: int) -> Answer:
        """The second half of a cookie check: did the browser keep the id it was given?"""
        reference = self._signer.read(query.values["_ck"] or "")
        if reference is None or reference.customer != pixel.customer:
            raise InvalidParameterError("_ck")
        if request.cookie != reference.user:
            return _empty(query, "no-cookie")
        row = Confirm(pixel.customer, reference.user, now, reference.ids)
        await self._inbox.append(user_ids.bucket_of(reference.user), InboxKind.CONFIRM, encode(row))
        return self._synced(request, query, pixel, "confirmed")

    def _synced(self, request: Request, query: QueryString, pixel: CollectingPixel, name: str) -> Answer:
        """What was kept, answered; an image on its way through the syncs that are due."""
        if query.values.get("t") != "gif":
            return answers.script(name)
        return self._redirects.start(request, query.values, pixel.id, name) or answers.gif(name)


def _refuse_repeated(query: QueryString) -> None:
    for name in query.repeated:
        if name is not None and (name in _KNOWN or name in DIMENSIONS):
            raise InvalidParameterError(name)


def _empty(query: QueryString, name: str) -> Answer:
    return answers.gif(name) if query.values.get("t") == "gif" else answers.script(name)


def _empty_with_cookie(query: QueryString, cookie: bytes) -> Answer:
    if query.values.get("t") == "gif":
        return answers.gif_with_cookie("accepted", cookie)
    return answers.script_with_cookie("accepted", cookie)


def _location(query: QueryString, reference: bytes) -> bytes:
    values = query.values
    kind = values.get("t") or "js"
    address = f"/dp?m={values['m']}&id={values['id']}&t={kind}".encode()
    check = b"&_check=1" if values.get("_check") == "1" else b""
    return address + check + consent.carried(query.raw) + b"&_ck=" + reference
