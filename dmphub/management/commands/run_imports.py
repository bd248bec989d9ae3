"""`manage.py run_imports`: the importer, in the foreground."""

import logging
import time

from django.core.management.base import BaseCommand
from django.db import close_old_connections

from core import garbage
from pipeline.failures import is_passing
from pipeline.imports import services

log = logging.getLogger(__name__)

EVERY_SECONDS = 1.0


class Command(BaseCommand):
    help = "Works off uploaded files of profiles, one after the other. Needs no broker; may be killed at any time."

    def handle(self, *_args: object, **_options: object) -> None:
        garbage.collect_rarely()
        while True:
            if not self._worked():
                time.sleep(EVERY_SECONDS)

    def _worked(self) -> bool:
        close_old_connections()
        try:
            return services.work_off()
        except Exception as trouble:
            if not is_passing(trouble):
                raise
            log.warning("%s", type(trouble).__name__)
            return False
