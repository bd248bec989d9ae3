"""Celery carries wake-ups only: which stage has work, never the work itself."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dmphub.settings")

app = Celery("dmphub")
app.config_from_object("dmphub.celery_settings")
app.autodiscover_tasks(["pipeline"])
