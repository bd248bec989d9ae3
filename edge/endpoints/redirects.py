"""Sending a browser on to the platform it is to be matched with next."""

from dataclasses import dataclass

from core import clock
from core.query import Parameters
from edge import answers
from edge.answers import Answer
from edge.cookies import CookieJar
from edge.request import Request
from edge.sections.syncs import Sync, Syncs
from edge.snapshot import Section, Snapshot
from usersync import sync_cookie
from usersync.consent import Signals, passed_on
from usersync.sync_cookie import SyncCandidate, SyncChain, SyncCookie


@dataclass(frozen=True, slots=True)
class Browser:
    """One that may be synced: it brought our cookie, and its signals can be passed on."""

    user: str
    signals: Signals
    state: SyncCookie
    now: int


def browser(request: Request, values: Parameters) -> Browser | None:
    """None for one whose syncs may not start; `_check=1` turns them off too."""
    signals = passed_on(values)
    if request.cookie is None or signals is None or values.get("_check") == "1":
        return None
    now = clock.now_seconds()
    return Browser(request.cookie, signals, sync_cookie.read(request.cookies, now), now)


class Redirects:
    """Starts and continues syncs, from the configuration in memory and the browser's cookie."""

    def __init__(self, snapshot: Snapshot, section: Section[Syncs], jar: CookieJar) -> None:
        self._snapshot = snapshot
        self._section = section
        self._jar = jar

    def start(self, request: Request, values: Parameters, pixel: int, name: str) -> Answer | None:
        """To the first platform of a pixel's chain; None: none is due."""
        if pixel not in self._syncs.images:
            return None
        found = browser(request, values)
        return None if found is None else self._next(found, pixel, name)

    def go_on(self, request: Request, values: Parameters, pl: int, name: str) -> Answer | None:
        """To the next platform of the chain that led to `pl`; None: there is no such chain."""
        if not sync_cookie.may_be_under_way(request.cookies):
            return None
        found = browser(request, values)
        if found is None or found.state.chain is None:
            return None
        pixel = found.state.chain.pixel
        if all(one.pl != pl for one in self._syncs.images.get(pixel, ())):
            return None
        onward = self._next(found, pixel, name)
        return onward or answers.gif_with_cookie(name, self._cookie(SyncCookie(found.state.tried)))

    def due(self, found: Browser, pixel: int) -> list[tuple[int, Sync]]:
        """The platforms a page may sync, with their `pl`, in order."""
        candidates = self._syncs.pixels.get(pixel, ())
        ordered = sync_cookie.due(candidates, found.state, found.user, found.now)
        return [(one.pl, self._syncs.by_pl[one.pl]) for one in ordered[: sync_cookie.MOST_SYNCS]]

    def to(self, found: Browser, pixel: int, pl: str, name: str) -> Answer | None:
        """To one platform of the pixel, and no further; None: it is not due, or not the pixel's."""
        candidates = [one for one in self._syncs.pixels.get(pixel, ()) if str(one.pl) == pl]
        ordered = sync_cookie.due(candidates, found.state, found.user, found.now)
        return self._redirect(found, ordered[0], None, name) if ordered else None

    @property
    def _syncs(self) -> Syncs:
        current = self._snapshot.current
        if current is None:  # the routes have looked
            raise RuntimeError("there is no configuration")
        return current[self._section]

    def _next(self, found: Browser, pixel: int, name: str) -> Answer | None:
        ordered = sync_cookie.due(self._syncs.images.get(pixel, ()), found.state, found.user, found.now)
        if not ordered:
            return None
        under_way = sync_cookie.following(found.state, pixel, found.now) if len(ordered) > 1 else None
        return self._redirect(found, ordered[0], under_way, name)

    def _redirect(self, found: Browser, to: SyncCandidate, under_way: SyncChain | None, name: str) -> Answer:
        location = self._syncs.by_pl[to.pl].address.of(found.user, found.signals)
        state = sync_cookie.tried(found.state, to.pl, found.now, under_way)
        return answers.redirect(name, location, self._cookie(state))

    def _cookie(self, state: SyncCookie) -> bytes:
        return self._jar.keep(sync_cookie.COOKIE_NAME, sync_cookie.write(state))
