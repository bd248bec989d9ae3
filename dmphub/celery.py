"""Celery as the hub runs it. It carries wake-ups only: which stage has work, never the work itself.

No results, no payloads, one wake-up at a time, and no change to logging.
"""

import os
from typing import Any

from celery import Celery, signals

from core import garbage
from core.wakeups import ABSORB, celery_url

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dmphub.settings")
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")  # they would import the console; `prepare` has checked

from dmphub.settings import REDIS_URL  # read after the name of the settings is known

app = Celery("dmphub")
app.conf.update(
    broker_url=celery_url(REDIS_URL),
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_transport_options={"socket_keepalive": True, "health_check_interval": 5},
    task_ignore_result=True,
    task_default_queue=ABSORB,
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
    worker_send_task_events=False,
)
app.autodiscover_tasks(["pipeline"])


@signals.worker_process_init.connect
@signals.worker_ready.connect
def _collect_rarely(**_: object) -> None:
    """Called in each child of a pool and in the worker itself, whichever kind of pool works."""
    garbage.collect_rarely()


@signals.worker_ready.connect
def _share_threads(sender: Any, **_: object) -> None:
    """The deliver stage shares the threads of this worker among the platforms, so it has to know how many there are."""
    from pipeline.deliver import slots  # models can be read now

    slots.threads = int(sender.controller.concurrency)
