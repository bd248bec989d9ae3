"""`GET /sync.js` and `GET /sync`: user sync from a page, one platform after another, once it has loaded.

`/sync.js` is the tag. When the page has loaded, it asks `/sync?m=&id=` which platforms are due for this browser. Then
it loads `/sync?m=&id=&pl=` for each, as an image or a script. That request notes the attempt in the browser's cookie
and redirects to the platform. So a platform that was not loaded stays due, and one that hangs is left after 9 s.
"""

from dataclasses import dataclass
from pathlib import Path

import msgspec

from core.query import QueryString
from edge import responses, unattended
from edge.request import EdgeRequest
from edge.responses import EdgeResponse
from edge.sections.pixels import COLLECTION, CollectingPixel, named_pixel
from edge.snapshot import Snapshot
from edge.sync_redirects import SyncRedirects, syncable_browser
from usersync.consent import CONSENT_PARAMETERS, ConsentJudge

SCRIPT = responses.running_script("script", (Path(__file__).parent / "sync_tag.js").read_bytes())
"""The same for all: it takes the pixel, and the consent signals that a page adds, from its own address."""

_KNOWN = {"m", "id", "pl", "_check"} | CONSENT_PARAMETERS


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncTagEndpoint:
    """Reads the configuration in memory and the browser's cookies; stores nothing but the attempt, in a cookie."""

    snapshot: Snapshot
    redirects: SyncRedirects
    judge: ConsentJudge

    async def script(self, request: EdgeRequest) -> EdgeResponse:
        self._pixel(request, request.query())
        return SCRIPT

    async def sync(self, request: EdgeRequest) -> EdgeResponse:
        """Respond with the due platforms, as a call of the tag's function; with `pl`, redirect to that platform."""
        query = request.query()
        pixel = self._pixel(request, query)
        found = syncable_browser(request, query.values)
        why_not = self._why_not(request, query, pixel)
        if found is None or why_not:
            return _nothing(query, why_not or "none-due")
        if "pl" in query.values:
            onward = self.redirects.to(found, pixel.id, query.values["pl"] or "", "sync")
            return onward or _nothing(query, "none-due")
        due = [(pl, "script" if sync.script else "img") for pl, sync in self.redirects.due(found, pixel.id)]
        return responses.running_script("due" if due else "none-due", b"dmpsync(" + msgspec.json.encode(due) + b")")

    def _why_not(self, request: EdgeRequest, query: QueryString, pixel: CollectingPixel) -> str:
        """Returns why this browser must not be synced; empty if it may be."""
        if request.is_unattended:
            return unattended.STATUS
        if request.opted_out:
            return "opted-out"
        if not self.judge.permits(pixel.consent_mode, query.values, gpc=request.gpc):
            return "consent-denied"
        return "no-cookie" if request.cookie is None else ""

    def _pixel(self, request: EdgeRequest, query: QueryString) -> CollectingPixel:
        request.require_method(("GET",))
        collection = self.snapshot.configuration[COLLECTION]
        query.refuse_repeated(_KNOWN)
        return named_pixel(query.values, collection)


def _nothing(query: QueryString, name: str) -> EdgeResponse:
    return responses.gif(name) if "pl" in query.values else responses.running_script(name, b"dmpsync([])")
