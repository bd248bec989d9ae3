"""Where a browser is redirected to be matched with the next platform: decided from the configuration and its cookie.

Reads and writes no table; what was tried is remembered in the browser's own cookie (`usersync.sync_cookie`).
"""

from dataclasses import dataclass

from core import clock
from core.query import Parameters
from edge import responses
from edge.cookies import CookieJar
from edge.request import EdgeRequest
from edge.responses import EdgeResponse
from edge.sections.platforms import PlatformSync, PlatformSyncs
from edge.snapshot import Section, Snapshot
from usersync import sync_cookie
from usersync.consent import Signals, passed_on
from usersync.sync_cookie import SyncCandidate, SyncChain, SyncCookie


@dataclass(frozen=True, slots=True)
class SyncableBrowser:
    """A browser that may be synced: it brought our cookie, and its signals can be passed on. `now`: unix seconds."""

    user: str
    signals: Signals
    cookie: SyncCookie
    now: int


def syncable_browser(request: EdgeRequest, values: Parameters) -> SyncableBrowser | None:
    """Returns None for a browser whose syncs may not start; `_check=1` turns them off too."""
    signals = passed_on(values)
    if request.cookie is None or signals is None or values.get("_check") == "1":
        return None
    now = clock.now_seconds()
    return SyncableBrowser(request.cookie, signals, sync_cookie.read(request.cookies, now), now)


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncRedirects:
    """Starts and continues syncs, from the configuration in memory and the browser's cookie."""

    snapshot: Snapshot
    syncs: Section[PlatformSyncs]
    jar: CookieJar

    def start(self, request: EdgeRequest, values: Parameters, pixel: int, name: str) -> EdgeResponse | None:
        """Redirect to the first platform of a pixel's chain, or return None if none is due."""
        if pixel not in self._syncs.images:
            return None
        browser = syncable_browser(request, values)
        return None if browser is None else self._next(browser, pixel, name)

    def go_on(self, request: EdgeRequest, values: Parameters, pl: int, name: str) -> EdgeResponse | None:
        """Redirect to the next platform of the chain that led to `pl`, or return None if there is no such chain."""
        if not sync_cookie.may_be_under_way(request.cookies):
            return None
        browser = syncable_browser(request, values)
        if browser is None or browser.cookie.chain is None:
            return None
        pixel = browser.cookie.chain.pixel
        if all(one.pl != pl for one in self._syncs.images.get(pixel, ())):
            return None
        onward = self._next(browser, pixel, name)
        return onward or responses.gif_with_cookie(name, self._set_cookie(SyncCookie(browser.cookie.tried)))

    def due(self, browser: SyncableBrowser, pixel: int) -> list[tuple[int, PlatformSync]]:
        """Returns the platforms that a page may sync, with their `pl`, in order."""
        candidates = self._syncs.pixels.get(pixel, ())
        ordered = sync_cookie.due(candidates, browser.cookie, browser.user, browser.now)
        return [(one.pl, self._syncs.by_pl[one.pl]) for one in ordered[: sync_cookie.MOST_SYNCS]]

    def to(self, browser: SyncableBrowser, pixel: int, pl: str, name: str) -> EdgeResponse | None:
        """Redirect to one platform of the pixel, and no further; None if it is not due or not the pixel's."""
        candidates = [one for one in self._syncs.pixels.get(pixel, ()) if str(one.pl) == pl]
        ordered = sync_cookie.due(candidates, browser.cookie, browser.user, browser.now)
        return self._redirect(browser, ordered[0], None, name) if ordered else None

    @property
    def _syncs(self) -> PlatformSyncs:
        return self.snapshot.configuration[self.syncs]

    def _next(self, browser: SyncableBrowser, pixel: int, name: str) -> EdgeResponse | None:
        ordered = sync_cookie.due(self._syncs.images.get(pixel, ()), browser.cookie, browser.user, browser.now)
        if not ordered:
            return None
        under_way = sync_cookie.following(browser.cookie, pixel, browser.now) if len(ordered) > 1 else None
        return self._redirect(browser, ordered[0], under_way, name)

    def _redirect(
        self, browser: SyncableBrowser, to: SyncCandidate, under_way: SyncChain | None, name: str
    ) -> EdgeResponse:
        location = self._syncs.by_pl[to.pl].url.of(browser.user, browser.signals)
        cookie = sync_cookie.tried(browser.cookie, to.pl, browser.now, under_way)
        return responses.redirect(name, location, self._set_cookie(cookie))

    def _set_cookie(self, cookie: SyncCookie) -> bytes:
        return self.jar.keep(sync_cookie.COOKIE_NAME, sync_cookie.write(cookie))
