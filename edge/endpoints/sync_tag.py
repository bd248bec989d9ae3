"""`GET /sync.js` and `GET /sync`: user sync from a page, one platform after another, once it has loaded.

`/sync.js` is the tag. When the page has loaded it asks `/sync?m=&id=` what is due for this browser, then loads
`/sync?m=&id=&pl=` for each, as an image or a script: that one notes the attempt in the browser's cookie and
redirects to the platform. So what was not loaded stays due, and a platform that hangs is left after 9 s.
"""

from pathlib import Path

import msgspec

from core.errors import InvalidParameterError
from core.query import QueryString
from edge import answers
from edge.answers import Answer
from edge.endpoints.redirects import Redirects, browser
from edge.group_commit import UnavailableError
from edge.request import Request
from edge.sections.pixels import COLLECTION, CollectingPixel, named
from edge.snapshot import Snapshot
from usersync.consent import CONSENT_PARAMETERS, ConsentJudge

SCRIPT = answers.running("script", (Path(__file__).parent / "sync_tag.js").read_bytes())
"""The same for all: it takes the pixel, and the consent signals that a page adds, from its own address."""

_KNOWN = {"m", "id", "pl", "_check"} | CONSENT_PARAMETERS


class SyncTagRoute:
    """Reads the configuration in memory and the browser's cookies; stores nothing but the attempt, there."""

    def __init__(self, snapshot: Snapshot, redirects: Redirects, judge: ConsentJudge) -> None:
        self._snapshot = snapshot
        self._redirects = redirects
        self._judge = judge

    async def script(self, request: Request) -> Answer:
        self._pixel(request, request.query())
        return SCRIPT

    async def sync(self, request: Request) -> Answer:
        """What is due, as a call of the tag's function; with `pl`, the way to that platform."""
        query = request.query()
        pixel = self._pixel(request, query)
        found = browser(request, query.values)
        why_not = self._why_not(request, query, pixel)
        if found is None or why_not:
            return _nothing(query, why_not or "none-due")
        if "pl" in query.values:
            onward = self._redirects.to(found, pixel.id, query.values["pl"] or "", "sync")
            return onward or _nothing(query, "none-due")
        due = [(pl, "script" if sync.script else "img") for pl, sync in self._redirects.due(found, pixel.id)]
        return answers.running("due" if due else "none-due", b"dmpsync(" + msgspec.json.encode(due) + b")")

    def _why_not(self, request: Request, query: QueryString, pixel: CollectingPixel) -> str:
        """Why this browser must not be synced; empty where it may."""
        if request.opted_out:
            return "opted-out"
        if not self._judge.permits(pixel.consent, query.values, gpc=request.gpc):
            return "consent-denied"
        return "no-cookie" if request.cookie is None else ""

    def _pixel(self, request: Request, query: QueryString) -> CollectingPixel:
        if request.method != "GET":
            raise answers.bad_method("GET")
        if self._snapshot.current is None:
            raise UnavailableError
        for name in query.repeated:
            if name in _KNOWN:
                raise InvalidParameterError(name)
        return named(query.values, self._snapshot.current[COLLECTION])


def _nothing(query: QueryString, name: str) -> Answer:
    return answers.gif(name) if "pl" in query.values else answers.running(name, b"dmpsync([])")
