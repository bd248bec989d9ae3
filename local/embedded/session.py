"""Services for the time of one command: those of a running hub, or else of its own."""

import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from core.environment import Environment
from local.embedded import postgres, redis
from local.embedded.home_lock import HomeInUseError, as_guest, claimed, without_guests
from local.embedded.services import Services, addresses, places_of, process_specs
from local.supervisor.supervisor import Supervisor

_TELL_AFTER_SECONDS = 3.0


@contextmanager
def session(environment: Environment) -> Iterator[Services]:
    """Yield the services once they are ready.

    Services that run already are used. Otherwise this session starts them, and stops them when it and every session
    that came to use them have ended. Raises StartFailedError if they do not start.
    """
    services = addresses(environment)
    with ExitStack() as stack:
        if not (environment.database_url and environment.redis_url):
            _enter(stack, environment, services)
        yield services


def erase(environment: Environment) -> None:
    """Delete all data of the embedded services of a home that nobody uses."""
    places = places_of(environment)
    with claimed(environment.home):
        for folder in (places.postgres.resolve(), places.sockets, places.redis, places.run):
            shutil.rmtree(folder, ignore_errors=True)
        if places.postgres.is_symlink():
            places.postgres.unlink()


def _enter(stack: ExitStack, environment: Environment, services: Services) -> None:
    wait = _wait_with_notice("waiting for PostgreSQL and Redis (after a crash, PostgreSQL recovers first)")
    while True:
        with ExitStack() as attempt:
            try:
                attempt.enter_context(claimed(environment.home))
                attempt.enter_context(_running(environment, wait))
            except HomeInUseError:
                attempt.enter_context(as_guest(environment.home))
                if not _answer(services):
                    wait(0.1)
                    continue
            stack.enter_context(attempt.pop_all())
            return


@contextmanager
def _running(environment: Environment, wait: Callable[[float], None]) -> Iterator[None]:
    log = environment.home / "services.log"
    supervisor = Supervisor(wait=wait)
    try:
        supervisor.start(replace(spec, log=log) for spec in process_specs(environment))
        supervisor.until_ready()
        yield
    finally:
        with without_guests(environment.home):
            supervisor.stop()


def _answer(services: Services) -> bool:
    return postgres.answers(services.database_url) and redis.answers(services.redis_url)


def _wait_with_notice(message: str) -> Callable[[float], None]:
    """Return a sleep that writes to standard error, once, what it waits for when that takes long."""
    tell_at = time.monotonic() + _TELL_AFTER_SECONDS
    shown = False

    def wait(seconds: float) -> None:
        nonlocal shown
        time.sleep(seconds)
        if not shown and time.monotonic() > tell_at:
            shown = True
            sys.stderr.write(f"{message}…\n")

    return wait
