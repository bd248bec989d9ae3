"""`manage.py sweep`: the sweeper, in the foreground."""

import signal
from datetime import timedelta

from django.core.management.base import BaseCommand

from api import idempotency
from audiences import history
from core import clock, garbage
from core.environment import HUB_COMMAND, PROJECT_ROOT
from lookalikes.jobs.starter import JobStarter
from pipeline import deliver
from pipeline.counts import CountsKeeper
from pipeline.exports import files as exported_files
from pipeline.imports import files
from pipeline.match_rates import keep_today
from pipeline.privacy import delivered_files
from pipeline.privacy.retention import Retention
from pipeline.sweeper import Sweeper

ANSWERS_KEPT = timedelta(hours=24)


def forget_answers() -> None:
    """Delete the answers kept for repeated writes (`Idempotency-Key`) after a day."""
    idempotency.forget(clock.now() - ANSWERS_KEPT)


def forget_files() -> None:
    """Delete what is left of old imports."""
    files.sweep(clock.now())


CHORES = (
    forget_answers,
    keep_today,
    history.note_sizes,
    forget_files,
    exported_files.sweep,
    deliver.renew,
    deliver.delete_old_records,
)
SEARCHES = (idempotency.forget_answers_with, exported_files.forget_of_erased, delivered_files.forget)


class Command(BaseCommand):
    help = "Finds what is due every second and does it where nobody else does. Needs no broker."

    requires_system_checks: list[str] = []  # `prepare` has checked

    def handle(self, *_args: object, **_options: object) -> None:
        stopped = False

        def stop(*_: object) -> None:
            nonlocal stopped
            stopped = True

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        learning = JobStarter([*HUB_COMMAND, "lookalikes"], PROJECT_ROOT)
        garbage.collect_rarely()
        try:
            chores = (*CHORES, CountsKeeper().round)
            Sweeper(chores, SEARCHES, [learning.tend, Retention().tend]).run(lambda: not stopped)
        finally:
            learning.stop()
