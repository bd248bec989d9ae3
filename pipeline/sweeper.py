"""The sweeper: every second it finds what is due and, where no worker is awake for it, does it.

It needs no broker: whatever Redis and Celery lose, it finds.
"""

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
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
from pipeline.lane_slots import LaneSlots
from pipeline.privacy import erasures
from pipeline.privacy.erasures import Search

log = logging.getLogger(__name__)

EVERY_SECONDS = 1.0
MINUTE_SECONDS = 60.0
THREADS = 8
# work this old was missed by the workers that Redis wakes
MISSED = timedelta(seconds=1)


class Sweeper:
    """Runs what is due. `every_minute` and `every_second`: what else other rooms want done regularly.

    `searches`: where else traces of erased users may be found (`pipeline.privacy.erasures`).
    """

    def __init__(
        self,
        every_minute: Sequence[Callable[[], object]] = (),
        searches: Sequence[Search] = (),
        every_second: Sequence[Callable[[], object]] = (),
    ) -> None:
        self._every_minute = every_minute
        self._searches = searches
        self._every_second = every_second
        self._minute_began = time.monotonic()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="sweeper")
        self._slots = LaneSlots(THREADS)
        self._last_error = ""

    def run(self, keep_on: Callable[[], bool]) -> None:
        """Sweep every second while `keep_on()`. An error is logged once and does not end it."""
        while keep_on():
            started = time.monotonic()
            try:
                self.sweep()
                self._last_error = ""
            except Exception as error:
                self._log_once(error)
            time.sleep(max(0.0, EVERY_SECONDS - (time.monotonic() - started)))
        self._threads.shutdown(wait=False, cancel_futures=True)

    def sweep(self) -> None:
        """Do one round; raises the first error."""
        close_old_connections()
        end = time.monotonic() + EVERY_SECONDS
        if not wakeups(settings.REDIS_URL).is_awake(ABSORB, 0):
            stage.sweep(lambda: time.monotonic() < end)
        finish_builds()
        finish_deletions()
        erasures.carry_on(self._searches)
        for work in self._every_second:
            work()
        for platform, lane in deliver.lanes():
            self._deliver(platform, lane)
        if time.monotonic() - self._minute_began >= MINUTE_SECONDS:
            self._minute_began = time.monotonic()
            for work in self._every_minute:
                work()

    def _deliver(self, platform: int, lane: int) -> None:
        """Work off a lane that nobody is awake for, in a thread of its own: platforms may be slow."""
        if self._slots.holds(platform, lane) or wakeups(settings.REDIS_URL).is_awake(DELIVER, platform, lane):
            return
        if deliver.is_due(platform, lane, clock.now() - MISSED) and self._slots.take(platform, lane):
            self._threads.submit(self._work, platform, lane)

    def _work(self, platform: int, lane: int) -> None:
        end = time.monotonic() + deliver.SHIFT_SECONDS
        try:
            deliver.work(platform, lane, lambda: time.monotonic() < end)
        except Exception as error:
            self._log_once(error)
        finally:
            self._slots.give_back(platform, lane)
            close_old_connections()

    def _log_once(self, error: Exception) -> None:
        text = f"{type(error).__name__}: {error}".strip()
        if text != self._last_error:
            self._last_error = text
            log.warning("%s", text)


def finish_deletions() -> int:
    """End the activations of audiences that are being deleted, then delete those with none left; returns how many.

    Platforms remove its members first: an audience is deleted once its last activation has ended.
    """
    deleted = 0
    for audience in Audience.objects.filter(status=Audience.Status.DELETING):
        for activation in audience.activations.exclude(status=Activation.Status.ENDING):
            deactivate(activation)
        if not audience.activations.exists():
            delete_audience(audience)
            deleted += 1
    return deleted
