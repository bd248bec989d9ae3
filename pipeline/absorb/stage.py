"""The absorb stage as its runners see it: absorb what waits, then wake the next stage."""

import time
from collections.abc import Callable, Collection
from functools import cache

from django.conf import settings

from activation.delivery.lanes import lanes_of
from core.flood_sign import FloodSign
from core.right_of_way import BusySign, Pauses
from core.wakeups import ABSORB, DELIVER, wakeups
from pipeline.absorb.absorber import Absorber
from pipeline.per_thread import PerThread
from pipeline.timed import BATCH
from profiles import attribute_catalogue

# a drained inbox is looked at again this often, and this long, before the worker goes to sleep
PAUSE_SECONDS = 0.01
LINGER_SECONDS = 0.3
# how many workers may be woken for one backlog
SLOTS = 8


def wake_deliverers(touched: Collection[tuple[int, int]]) -> None:
    """Called after a commit with the (platform, bucket)s in which something is to be delivered. Must not block."""
    wakeups(settings.REDIS_URL).wake_all(DELIVER, lanes_of(touched))


@cache
def flood_sign(redis_url: str) -> FloodSign:
    """Returns the one of this process."""
    return FloodSign(redis_url)


absorbers = PerThread(lambda: Absorber(wake_deliverers, flood_sign(settings.REDIS_URL).show))


def absorb_once() -> int:
    """Absorb one batch, and do what time asks for unless many rows wait; returns how much was done."""
    return _absorb()[0]


def _absorb() -> tuple[int, bool]:
    """Returns how many rows and items were done, and whether more of them wait than one batch takes."""
    with absorbers.dropped_on_error() as absorber:
        rows = absorber.absorb()
        if absorber.is_behind:
            return rows, True
        due = 0 if absorber.timed.is_resting else absorber.absorb_due()
        return rows + due, due >= BATCH


@cache
def pauses_of(redis_url: str) -> Pauses:
    """Returns the pauses of this process, which last from one call of `drain` to the next."""
    return Pauses(BusySign(redis_url).is_shown, sleep=_rest)


def _rest(seconds: float) -> None:
    """Let the edge go first. Where one customer floods the hub, the rows of the others are absorbed all the same."""
    with absorbers.dropped_on_error() as absorber:
        if not absorber.absorb_others():
            time.sleep(seconds)


def drain(slot: int) -> None:
    """Absorb until nothing waits, then linger: under load nobody has to be woken."""
    awake = wakeups(settings.REDIS_URL)
    pauses = pauses_of(settings.REDIS_URL)
    idle_since = reported = time.monotonic()
    awake.stay_awake(ABSORB, slot)
    while True:
        began = time.monotonic()
        done, is_full = _absorb()
        if done:
            pauses.after(time.monotonic() - began)
        now = time.monotonic()
        if is_full and slot + 1 < SLOTS:
            awake.wake(ABSORB, slot + 1)
        if done:
            idle_since = now
        elif now - idle_since >= LINGER_SECONDS:
            break
        else:
            time.sleep(PAUSE_SECONDS)
        if now - reported >= 1:
            awake.stay_awake(ABSORB, slot)
            reported = now
    awake.sleep(ABSORB, slot)
    absorb_once()
    attribute_catalogue.flush_if_due(is_last=True)


def sweep(keep_on: Callable[[], bool]) -> None:
    """Absorb what waits and do what time asks for, one batch after the other, as long as `keep_on()`.

    Wakes workers where there is more than one batch, and goes on itself: perhaps nobody hears the wake-up.
    """
    pauses = pauses_of(settings.REDIS_URL)
    while keep_on():
        began = time.monotonic()
        done, is_full = _absorb()
        if is_full:
            wakeups(settings.REDIS_URL).wake(ABSORB, 1)
        if not done:
            return
        pauses.after(time.monotonic() - began)
