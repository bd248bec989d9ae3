"""The sweeper: every second it finds what is due and, where no worker is awake for it, does it.

It needs no broker: whatever Redis and Celery lose, it finds.
"""

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta

from django.conf import settings
from django.db import close_old_connections

from activation.models import Activation
from activation.services import deactivate
from audiences.models import Audience
from audiences.services import delete_audience, finish_builds
from core import clock
from core.wakeups import ABSORB, DELIVER, wakeups
from pipeline import deliver
from pipeline.absorb import stage
from pipeline.privacy import erasures
from pipeline.privacy.erasures import Search

log = logging.getLogger(__name__)

EVERY_SECONDS = 1.0
CHORES_SECONDS = 60.0
THREADS = 8
# work this old has been missed by those whom Redis wakes
MISSED = timedelta(seconds=1)


class Sweeper:
    """`chores` are done every minute: what other rooms want swept out. `searches`: what else may hold traces of users
    who are erased. `tended` are looked after every second.
    """

    def __init__(
        self,
        chores: Sequence[Callable[[], object]] = (),
        searches: Sequence[Search] = (),
        tended: Sequence[Callable[[], object]] = (),
    ) -> None:
        self._chores = chores
        self._searches = searches
        self._tended = tended
        self._chores_done = time.monotonic()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="sweeper")
        self._running: dict[tuple[int, int], Future[None]] = {}
        self._last_error = ""

    def run(self, keep_on: Callable[[], bool]) -> None:
        """Sweep every second while `keep_on()`; trouble is told once and does not end it."""
        while keep_on():
            started = time.monotonic()
            try:
                self.sweep()
                self._last_error = ""
            except Exception as trouble:
                self._tell(trouble)
            time.sleep(max(0.0, EVERY_SECONDS - (time.monotonic() - started)))
        self._threads.shutdown(wait=False, cancel_futures=True)

    def sweep(self) -> None:
        """One round."""
        close_old_connections()
        end = time.monotonic() + EVERY_SECONDS
        if not wakeups(settings.REDIS_URL).is_awake(ABSORB, 0):
            stage.sweep(lambda: time.monotonic() < end)
        else:
            stage.work_due()
        finish_builds()
        finish_deletions()
        erasures.carry_on(self._searches)
        for tend in self._tended:
            tend()
        for platform, lane in deliver.lanes():
            self._deliver(platform, lane)
        if time.monotonic() - self._chores_done >= CHORES_SECONDS:
            self._chores_done = time.monotonic()
            for chore in self._chores:
                chore()

    def _deliver(self, platform: int, lane: int) -> None:
        """Work off a lane that nobody is awake for, in a thread of its own: platforms may be slow."""
        running = self._running.get((platform, lane))
        if running is not None and not running.done():
            return
        if wakeups(settings.REDIS_URL).is_awake(DELIVER, platform, lane):
            return
        if deliver.is_due(platform, lane, clock.now() - MISSED):
            self._running[platform, lane] = self._threads.submit(self._work, platform, lane)

    def _work(self, platform: int, lane: int) -> None:
        end = time.monotonic() + deliver.SHIFT_SECONDS
        try:
            deliver.work(platform, lane, lambda: time.monotonic() < end)
        except Exception as trouble:
            self._tell(trouble)
        finally:
            close_old_connections()

    def _tell(self, trouble: Exception) -> None:
        told = f"{type(trouble).__name__}: {trouble}".strip()
        if told != self._last_error:
            self._last_error = told
            log.warning("%s", told)


def finish_deletions() -> int:
    """End the activations of audiences that are being deleted, then delete those with none left; returns how many.

    Platforms are told first: an audience is deleted once its last activation has ended.
    """
    deleted = 0
    for audience in Audience.objects.filter(status=Audience.Status.DELETING):
        for activation in audience.activations.exclude(status=Activation.Status.ENDING):
            deactivate(activation)
        if not audience.activations.exists():
            delete_audience(audience)
            deleted += 1
    return deleted
