"""Deliverers in processes of their own, on the test database."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from django.conf import settings

from integrations.models import Platform

ROOT = Path(__file__).resolve().parents[2]


class Deliverers:
    """Starts `tests.support.delivering`; those that are left at the end are killed."""

    def __init__(self, database_url: str, stack: ExitStack) -> None:
        self._stack = stack
        self._environment = {
            **os.environ,
            "DATABASE_URL": database_url,
            "REDIS_URL": settings.REDIS_URL,
            "DMPHUB_SECRET_KEYS": ",".join(settings.SECRET_KEYS),
            "DMPHUB_ALLOW_PRIVATE_TARGETS": "1",
            "DJANGO_SETTINGS_MODULE": "dmphub.settings",
            "HASTY": "0.5",
        }

    def start(self, platform: Platform, **more: str) -> "subprocess.Popen[str]":
        """Returns when it begins to deliver."""
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.delivering", str(platform.pl)],
            cwd=ROOT,
            env=self._environment | more,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._stack.callback(_end, process)
        assert process.stdout is not None
        process.stdout.readline()
        return process


def _end(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.wait()
    if process.stdout:
        process.stdout.close()


@pytest.fixture
def deliverers(database_url: str) -> Iterator[Deliverers]:
    with ExitStack() as stack:
        yield Deliverers(database_url, stack)
