"""Wake-ups: a stage that has work is woken, at most once while it is awake.

A wake-up is a Celery task without a payload, deduplicated by a key in Redis that its worker deletes when it
goes to sleep. Nothing depends on one: whatever Redis loses, the sweeper finds.
"""

import logging
import threading
import time
from collections.abc import Callable, Collection
from functools import cache
from urllib.parse import urlsplit

import redis
from celery import Celery

from core.right_of_way import MEASURED_SECONDS, BusySign, CpuDemand

log = logging.getLogger(__name__)

AWAKE_SECONDS = 3
"""How long a stage counts as awake after it last said so: a worker that died is missed for no longer."""
REST_SECONDS = 1
PREFIX = "dmphub:awake:"
WOKEN, AWAKE = b"woken", b"awake"
"""What a key holds: that somebody was called, or that a worker said itself that it is at work."""
PATIENCE_SECONDS = 0.5

SHORTEST_SECONDS = 0.02
"""Between two wake-ups of one `WakeupThread`."""

ABSORB, DELIVER = "absorb", "deliver"


def celery_url(redis_url: str) -> str:
    """The same Redis as Celery names it: a socket has a scheme of its own there."""
    parts = urlsplit(redis_url)
    return f"redis+socket://{parts.path}" if parts.scheme == "unix" else redis_url


class Wakeups:
    """The wake-ups of one Redis."""

    def __init__(self, redis_url: str) -> None:
        self._redis = redis.Redis.from_url(
            redis_url, socket_timeout=PATIENCE_SECONDS, socket_connect_timeout=PATIENCE_SECONDS
        )
        self._celery = Celery("wakeups", broker=celery_url(redis_url), set_as_current=False)
        self._celery.conf.update(
            task_ignore_result=True,
            broker_transport_options={
                "socket_timeout": PATIENCE_SECONDS,
                "socket_connect_timeout": PATIENCE_SECONDS,
            },
        )

    def wake(self, stage: str, *ids: int) -> None:
        """Have a worker run the stage's task with these ids, unless one is awake for them. Never raises."""
        self.wake_all(stage, [ids])

    def wake_all(self, stage: str, each: Collection[tuple[int, ...]]) -> None:
        """`wake` for each of these ids, asking Redis once."""
        if not each:
            return
        try:
            questions = self._redis.pipeline(transaction=False)
            for ids in each:
                questions.set(_key(stage, ids), WOKEN, nx=True, ex=AWAKE_SECONDS)
            for ids, is_first in zip(each, questions.execute(), strict=True):
                if is_first:
                    self._celery.send_task(stage, args=ids, queue=stage, retry=False)
        except Exception as away:
            log.debug("no wake-up: %s", type(away).__name__)

    def stay_awake(self, stage: str, *ids: int) -> None:
        """Called by a worker now and then while it is at work."""
        self._say(lambda: self._redis.set(_key(stage, ids), AWAKE, ex=AWAKE_SECONDS))

    def sleep(self, stage: str, *ids: int) -> None:
        """Called by a worker that found no more work, and that will look once more."""
        self._say(lambda: self._redis.delete(_key(stage, ids)))

    def rest(self, stage: str, *ids: int) -> None:
        """Called by a worker that can do nothing now, whatever there is to do: nobody is woken for a moment."""
        self._say(lambda: self._redis.set(_key(stage, ids), WOKEN, ex=REST_SECONDS))

    def is_awake(self, stage: str, *ids: int) -> bool:
        """Whether a worker said so lately; no, where Redis does not answer.

        That somebody was woken does not count: under traffic that is done all the time, and perhaps nobody hears it.
        """
        try:
            return bool(self._redis.get(_key(stage, ids)) == AWAKE)
        except redis.RedisError:
            return False

    def _say(self, command: Callable[[], object]) -> None:
        try:
            command()
        except redis.RedisError as away:
            log.debug("Redis is away: %s", type(away).__name__)


def _key(stage: str, ids: tuple[int, ...]) -> str:
    return PREFIX + ":".join([stage, *map(str, ids)])


@cache
def wakeups(redis_url: str) -> Wakeups:
    """This process's wake-ups."""
    return Wakeups(redis_url)


class WakeupThread:
    """Wakes the absorb stage after commits of the edge: off the event loop, never more often than is of use.

    Called after every commit (see `edge.group_commit.OnCommit`); a thread of its own speaks to Redis. If the edge is
    busy, it says so there too. `look` is called in that thread several times a second; it must not raise.
    """

    def __init__(self, wakeups: Wakeups, sign: BusySign, look: Callable[[], None]) -> None:
        self._wakeups = wakeups
        self._sign = sign
        self._look = look
        self._committed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="wakeups", daemon=True)

    def __call__(self, _: Collection[int]) -> None:
        if not self._thread.is_alive():
            self._thread.start()
        self._committed.set()

    def _run(self) -> None:
        demand, measured = CpuDemand(), time.monotonic()
        is_busy = False
        while True:
            self._committed.wait()
            self._committed.clear()
            self._wakeups.wake(ABSORB, 0)
            if time.monotonic() - measured >= MEASURED_SECONDS:
                measured = time.monotonic()
                is_busy = demand.measure().is_busy
                if is_busy:
                    self._sign.show()
                self._look()
            # each turn takes the interpreter from the event loop, and those who absorb pause for a busy edge
            time.sleep(MEASURED_SECONDS if is_busy else SHORTEST_SECONDS)
