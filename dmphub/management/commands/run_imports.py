"""`manage.py run_imports`: the importer, in the foreground."""

import logging
import queue
import threading
import time
from collections.abc import Callable
from functools import partial

from django.core.management.base import BaseCommand
from django.db import close_old_connections

from core import garbage
from pipeline.exports import runs
from pipeline.failures import is_passing
from pipeline.imports import schedules, services
from pipeline.imports.services import ImportTurns

log = logging.getLogger(__name__)

EVERY_SECONDS = 1.0
AT_ONCE = 3  # customers


class Command(BaseCommand):
    help = (
        "Works off uploaded files of profiles, and makes the files of exports, of each customer one at a time and of a "
        "few customers at once. "
        "Needs no broker; may be killed at any time."
    )

    requires_system_checks: list[str] = []  # `prepare` has checked

    def handle(self, *_args: object, **_options: object) -> None:
        garbage.collect_rarely()
        turns, failures = ImportTurns(), queue.Queue[BaseException]()
        works = {"importer": partial(services.work_off, turns), "exporter": runs.work_off, "fetcher": schedules.run_due}
        for name, work in works.items():
            for number in range(AT_ONCE):
                threading.Thread(target=_run, args=(work, failures), name=f"{name}-{number}", daemon=True).start()
        raise failures.get()


def _run(work: Callable[[], bool], failures: "queue.Queue[BaseException]") -> None:
    try:
        while True:
            if not _worked(work):
                time.sleep(EVERY_SECONDS)
    except BaseException as failure:
        failures.put(failure)


def _worked(work: Callable[[], bool]) -> bool:
    close_old_connections()
    try:
        return work()
    except Exception as trouble:
        if not is_passing(trouble):
            raise
        log.warning("%s", type(trouble).__name__)
        return False
