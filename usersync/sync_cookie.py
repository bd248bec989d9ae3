"""The cookie that remembers a browser's syncs, and the choice of the next platform from it. Pure.

The cookie `dmpsync` is `1` (its version), then `.<pl>-<when tried>` for the platforms tried last, newest first, then
`_<pixel>-<how many>-<since>` if a chain of redirects is under way. Numbers are in hex, times in unix seconds. It is not
signed, so it must decide nothing more than which syncs of a pixel to leave out.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from operator import itemgetter

from core.patterns import whole

COOKIE_NAME = b"dmpsync="
MOST_SYNCS = 5
"""In one chain, and in one page."""
CHAIN_SECONDS = 60
REMEMBERED = 60
"""Platforms in the cookie."""
SKEW_SECONDS = 60
"""How far the clocks of two edges may be apart."""

_SOUND = whole(r"1((?:\.[1-9a-f][0-9a-f]{0,7}+-[0-9a-f]{8}){0,60}+)(?:_([1-9a-f][0-9a-f]{0,7}+-[1-4]-[0-9a-f]{8}))?+")
_FIRST_HEX = 8


@dataclass(frozen=True, slots=True)
class SyncCandidate:
    """A platform of a pixel. `interval`: seconds between two attempts at one browser."""

    pl: int
    priority: int
    interval: int


@dataclass(frozen=True, slots=True)
class SyncChain:
    """Syncs that follow each other by redirects: `count` have been started since `start` (unix seconds)."""

    pixel: int
    count: int
    start: int

    def is_alive(self, now: int) -> bool:
        return -SKEW_SECONDS <= now - self.start < CHAIN_SECONDS


@dataclass(frozen=True, slots=True)
class SyncCookie:
    """What the cookie says. `tried`: when each platform was last tried, in unix seconds."""

    tried: Mapping[int, int]
    chain: SyncChain | None = None


EMPTY_COOKIE = SyncCookie({})


def read(header: bytes, now: int) -> SyncCookie:
    """Returns the sync cookie in a `Cookie` header; an empty one if there is none, or one that we did not write so."""
    for part in header.split(b";") if COOKIE_NAME in header else ():
        pair = part.strip()
        if pair.startswith(COOKIE_NAME):
            return _read(pair[len(COOKIE_NAME) :].decode("latin-1"), now)
    return EMPTY_COOKIE


def may_be_under_way(header: bytes) -> bool:
    """Whether a chain can be under way, by a cheap look at a `Cookie` header."""
    _, found, rest = header.partition(COOKIE_NAME)
    return bool(found) and b"_" in rest.partition(b";")[0]


def _read(text: str, now: int) -> SyncCookie:
    sound = _SOUND(text)
    if sound is None:
        return EMPTY_COOKIE
    entries = [entry.split("-") for entry in sound[1].split(".")[1:]]
    tried = {int(pl, 16): int(when, 16) for pl, when in entries}
    if any(when > now + SKEW_SECONDS for when in tried.values()):
        return EMPTY_COOKIE
    if sound[2] is None:
        return SyncCookie(tried)
    chain = SyncChain(*(int(number, 16) for number in sound[2].split("-")))
    return SyncCookie(tried, chain if chain.is_alive(now) else None)


def write(cookie: SyncCookie) -> bytes:
    """Returns the value of the cookie."""
    newest = sorted(cookie.tried.items(), key=itemgetter(1), reverse=True)[:REMEMBERED]
    entries = "".join([f".{pl:x}-{when:08x}" for pl, when in newest])
    chain = cookie.chain
    under_way = f"_{chain.pixel:x}-{chain.count:x}-{chain.start:08x}" if chain else ""
    return f"1{entries}{under_way}".encode()


def due(candidates: Collection[SyncCandidate], cookie: SyncCookie, user: str, now: int) -> list[SyncCandidate]:
    """Returns the platforms to try, in order.

    A platform that waits since its interval has passed once more goes before one that waits since a shorter
    time, whatever their priorities: else those of high priority would take the places of a browser that comes
    rarely, every time. Among those alike: the higher priority, then the one tried longest ago, then in an order
    that each user has their own of.
    """
    forgotten = min(cookie.tried.values()) if len(cookie.tried) >= REMEMBERED else 0
    turn = int(user[-_FIRST_HEX:], 16)
    found = []
    for place, one in enumerate(candidates):
        known = one.pl in cookie.tried
        last = cookie.tried.get(one.pl, forgotten)  # what a full cookie forgot was tried no later than its oldest
        missed = (now - last) // one.interval
        if missed >= 1:
            found.append(((known, -missed if known else 0, -one.priority, last, (place + turn) % len(candidates)), one))
    return [one for _, one in sorted(found, key=itemgetter(0))]


def tried(cookie: SyncCookie, pl: int, now: int, chain: SyncChain | None) -> SyncCookie:
    """Returns the cookie after the browser is sent to a platform, with the chain that goes on from there."""
    return SyncCookie({**cookie.tried, pl: now}, chain)


def following(cookie: SyncCookie, pixel: int, now: int) -> SyncChain | None:
    """Returns the chain with one more sync of `pixel`; None if that sync is the last of the chain.

    A pixel that a browser calls while a chain is under way joins that chain.
    """
    chain = cookie.chain
    count, start = (chain.count + 1, chain.start) if chain else (1, now)
    return SyncChain(pixel, count, start) if count < MOST_SYNCS else None
