"""The absorb stage as its runners see it: drain what waits, tell the next stage."""

import threading
import time
from collections.abc import Callable

from django.conf import settings

from activation.delivery.lanes import lanes_of
from core.wakeups import ABSORB, DELIVER, wakeups
from pipeline.absorb.absorber import Absorber
from pipeline.absorb.outbox import Touched
from pipeline.absorb.rows import SIZES

# a drained inbox is looked at again this often, and this long, before the worker goes to sleep
PAUSE_SECONDS = 0.01
LINGER_SECONDS = 0.3
# how many workers may be woken for one backlog
SLOTS = 8

_local = threading.local()


def tell(touched: Touched) -> None:
    """After a commit: the lanes that have something to send."""
    for platform, lane in lanes_of(touched.deliveries):
        wakeups(settings.REDIS_URL).wake(DELIVER, platform, lane)


def absorber() -> Absorber:
    """This thread's absorber. A broken one is replaced (`forget`)."""
    found: Absorber | None = getattr(_local, "absorber", None)
    if found is None:
        found = _local.absorber = Absorber(tell)
    return found


def forget() -> None:
    found: Absorber | None = getattr(_local, "absorber", None)
    if found is not None:
        _local.absorber = None
        found.close()


def drain(slot: int) -> None:
    """Absorb until nothing waits, then linger: under load nobody has to be woken."""
    awake = wakeups(settings.REDIS_URL)
    idle_since = said = time.monotonic()
    while True:
        done = _absorb_once()
        now = time.monotonic()
        if done >= SIZES[0] and slot + 1 < SLOTS:
            awake.wake(ABSORB, slot + 1)
        if done:
            idle_since = now
        elif now - idle_since >= LINGER_SECONDS:
            break
        else:
            time.sleep(PAUSE_SECONDS)
        if now - said >= 1:
            awake.stay_awake(ABSORB, slot)
            said = now
    awake.sleep(ABSORB, slot)
    _absorb_once()


def sweep(keep_on: Callable[[], bool]) -> None:
    """Absorb what waits and do what time asks for, one batch after the other, as long as `keep_on()`."""
    while keep_on() and (_absorb_once() or look_at_the_clock()):
        pass


def look_at_the_clock() -> int:
    """What time alone asks for, a batch of each: memberships to look at again, matches and unconfirmed ids that end."""
    try:
        return absorber().recheck() + absorber().expire() + absorber().forget_unconfirmed()
    except Exception:
        forget()
        raise


def _absorb_once() -> int:
    try:
        return absorber().absorb()
    except Exception:
        forget()
        raise
