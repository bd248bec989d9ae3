"""Pages of other sites whose scripts send to `/dp` and `/dp/batch`: what browsers ask first, and what they may read.

A pixel lists the origins that may read its answers (`core.origins`). An origin that is not listed is never named in an
answer. Data that browsers send without asking, by images and beacons, is taken from any page.
"""

from dataclasses import dataclass

from core.errors import InvalidParameterError
from core.origins import Origins
from edge import responses
from edge.request import EdgeRequest
from edge.responses import EdgeResponse, Header
from edge.sections.pixels import COLLECTION, named_pixel
from edge.snapshot import Snapshot

_MAX_AGE = b"600"  # seconds: so long a browser may go on after an origin was taken off the list
_METHODS = {"/dp": b"GET, HEAD, POST", "/dp/batch": b"POST"}
_HEADERS = {"/dp": b"content-type, content-encoding", "/dp/batch": b"authorization, content-type, content-encoding"}
_VARY: Header = (b"vary", b"Origin")
_EXPOSED: Header = (b"access-control-expose-headers", b"X-DMP-Status, Retry-After")
_BAD_ORIGIN = responses.plain(
    403, "bad-origin", "the pixel does not list this origin", (b"vary", b"Origin, Access-Control-Request-Method")
)
_ASKED = b"access-control-request-method"


@dataclass(frozen=True, slots=True)
class CrossOrigin:
    """Knows the pixels' lists by the configuration in memory."""

    snapshot: Snapshot

    def preflight(self, request: EdgeRequest) -> EdgeResponse | None:
        """Returns the response to what a browser asks before it sends; None where it is no such question.

        Raises InvalidParameterError or UnavailableError.
        """
        origin, methods = request.origin, _METHODS.get(request.path)
        if methods is None or origin is None or not request.header(_ASKED):
            return None
        query = request.query()
        query.refuse_repeated({"m", "id"})
        pixel = named_pixel(query.values, self.snapshot.configuration[COLLECTION])
        allowed = _allowed(pixel.origins, origin)
        if not allowed:
            return _BAD_ORIGIN
        more = [
            (b"access-control-allow-methods", methods),
            (b"access-control-allow-headers", _HEADERS[request.path]),
            (b"access-control-max-age", _MAX_AGE),
            (b"vary", b"Origin, Access-Control-Request-Method, Access-Control-Request-Headers"),
        ]
        return EdgeResponse(200, "preflight", headers=[*allowed, *more])

    def readable(self, request: EdgeRequest, response: EdgeResponse) -> EdgeResponse:
        """Returns the response as the page that asked may read it. Requests without an origin need not come here."""
        origin, current = request.origin, self.snapshot.current
        if origin is None or current is None or request.path not in _METHODS:
            return response
        collection = current[COLLECTION]
        if not collection.has_origins:
            return response
        try:
            pixel = named_pixel(request.query().values, collection)
        except InvalidParameterError:
            return response
        if not pixel.origins:
            return response
        allowed = _allowed(pixel.origins, origin)
        return response.changed(more=[*allowed, _EXPOSED, _VARY] if allowed else [_VARY])


def _allowed(origins: Origins, origin: bytes) -> list[Header]:
    """Returns what lets the page read the answer; nothing for an origin that is not listed."""
    if origins.names(origin):
        return [(b"access-control-allow-origin", origin), (b"access-control-allow-credentials", b"true")]
    return [(b"access-control-allow-origin", b"*")] if origins.is_open else []
