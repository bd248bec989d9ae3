"""The sweeper: every second it finds what is due and, where no worker is awake for it, does it.

It needs no broker: whatever Redis and Celery lose, it finds.
"""

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial

from django.conf import settings
from django.db import close_old_connections

from activation.models import Activation
from activation.services import deactivate
from audiences.models import Audience
from audiences.services import delete_audience, finish_builds
from core import clock
from core.steps import Steps
from core.wakeups import ABSORB, DELIVER, wakeups
from pipeline import catalogue, deliver
from pipeline.absorb import stage
from pipeline.lane_slots import LaneSlots
from pipeline.privacy import erasures
from pipeline.privacy.erasures import Search

log = logging.getLogger(__name__)
steps = Steps(log)

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

    def run(self, keep_on: Callable[[], bool]) -> None:
        """Sweep every second while `keep_on()`."""
        while keep_on():
            started = time.monotonic()
            self.sweep()
            time.sleep(max(0.0, EVERY_SECONDS - (time.monotonic() - started)))
        self._threads.shutdown(wait=False, cancel_futures=True)

    def sweep(self) -> None:
        """Do one round. What fails is logged once and keeps nothing else from being done."""
        run = steps.run
        run("connections", close_old_connections)
        run("configuration", catalogue.refresh)
        run("absorb", _absorb)
        run("builds", finish_builds)
        run("deletions", finish_deletions)
        run("erasures", partial(erasures.carry_on, self._searches))
        self._run_each(self._every_second)
        for platform, lane in run("lanes", deliver.lanes) or ():
            run(f"lane {lane} of platform {platform}", partial(self._deliver, platform, lane))
        if time.monotonic() - self._minute_began >= MINUTE_SECONDS:
            self._minute_began = time.monotonic()
            self._run_each(self._every_minute)

    def _run_each(self, works: Sequence[Callable[[], object]]) -> None:
        for work in works:
            steps.run(f"{getattr(work, '__module__', '')}.{getattr(work, '__qualname__', work)}", work)

    def _deliver(self, platform: int, lane: int) -> None:
        """Work off a lane that nobody is awake for, in a thread of its own: platforms may be slow."""
        if self._slots.holds(platform, lane) or wakeups(settings.REDIS_URL).is_awake(DELIVER, platform, lane):
            return
        if deliver.is_due(platform, lane, clock.now() - MISSED) and self._slots.take(platform, lane):
            self._threads.submit(self._work, platform, lane)

    def _work(self, platform: int, lane: int) -> None:
        end = time.monotonic() + deliver.SHIFT_SECONDS
        work = partial(deliver.work, platform, lane, lambda: time.monotonic() < end)
        try:
            steps.run(f"delivery in lane {lane} of platform {platform}", work)
        finally:
            self._slots.give_back(platform, lane)
            steps.run("connections of the thread", close_old_connections)


def finish_deletions() -> int:
    """End the activations of audiences that are being deleted, then delete those with none left; returns how many.

    Platforms remove its members first: an audience is deleted once its last activation has ended.
    """
    deleted = 0
    for audience in Audience.objects.filter(status=Audience.Status.DELETING):
        for activation in audience.activations.exclude(status=Activation.Status.ENDING):
            steps.run(f"ending activation {activation.id}", partial(deactivate, activation))
        deleted += bool(steps.run(f"deletion of audience {audience.id}", partial(_delete_if_ended, audience)))
    return deleted


def _delete_if_ended(audience: Audience) -> bool:
    if audience.activations.exists():
        return False
    delete_audience(audience)
    return True


def _absorb() -> None:
    """Absorb, and do what time asks for, where no worker is awake for it."""
    end = time.monotonic() + EVERY_SECONDS
    if not wakeups(settings.REDIS_URL).is_awake(ABSORB, 0):
        stage.sweep(lambda: time.monotonic() < end)
