"""Celery carries wake-ups only: which stage has work, never the work itself."""

import os

from celery import Celery, signals

from core import garbage

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dmphub.settings")

app = Celery("dmphub")
app.config_from_object("dmphub.celery_settings")
app.autodiscover_tasks(["pipeline"])


@signals.worker_process_init.connect
@signals.worker_ready.connect
def _collect_rarely(**_: object) -> None:
    """Whichever kind of pool works: each child, and the worker itself."""
    garbage.collect_rarely()
