"""The process that learns: started when something is due, and only then; as large as it must be, and alone with it."""

import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from audiences import services as audiences
from audiences.models import Audience
from lookalikes.jobs.starter import JobStarter
from lookalikes.services import create_lookalike
from tests.pipeline.conftest import db, shop
from tests.support.edge_process import database_url
from tests.support.lookalike_people import keen, settle
from tests.support.processes import eventually
from tests.support.shop import Shop

__all__ = ["database_url", "db", "shop"]

PROJECT = Path(__file__).parents[2]
COMMAND = (sys.executable, "manage.py", "lookalikes")
LIGHT = """
import sys, django
django.setup()
import pipeline.sweeper, pipeline.tasks, pipeline.absorb.absorber, lookalikes.jobs.starter, dmphub.urls
print(sorted({"numpy", "scipy", "sklearn"} & set(sys.modules)))
"""


def running(starter: JobStarter) -> "subprocess.Popen[bytes] | None":
    return starter._process


def test_starter__learns_what_is_due_in_processes_of_its_own(
    shop: Shop, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("DMPHUB_SECRET_KEYS", ",".join(settings.SECRET_KEYS))
    settle(shop)
    seed = keen(shop)
    starter = JobStarter(COMMAND, PROJECT)
    try:
        starter.tend()
        assert running(starter) is None
        made = create_lookalike(shop.customer, "like keen", seed, {"percent": 10})
        starter.tend()
        process = running(starter)
        assert process is not None
        eventually(lambda: process.poll() is not None, seconds=90)
        assert process.returncode == 0
    finally:
        starter.stop()
    audiences.finish_builds()
    made.refresh_from_db()
    assert made.status == Audience.Status.LIVE
    assert len(shop.members(made)) > 100


def test_long_lived_processes__import_nothing_large() -> None:
    found = subprocess.run([sys.executable, "-c", LIGHT], check=True, capture_output=True, text=True, cwd=PROJECT)
    assert found.stdout.strip() == "[]"
