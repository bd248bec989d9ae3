"""Absorbers in processes of their own (`absorbing`), on the test database."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(__file__).resolve().parents[2]


class Workers:
    """Starts absorbers; those that are left at the end are killed."""

    def __init__(self, database_url: str, stack: ExitStack) -> None:
        self._stack = stack
        self._environment = {
            **os.environ,
            "DATABASE_URL": database_url,
            "REDIS_URL": settings.REDIS_URL,
            "DMPHUB_SECRET_KEYS": ",".join(settings.SECRET_KEYS),
            "DJANGO_SETTINGS_MODULE": "dmphub.settings",
        }

    def start(self, **more: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.absorbing"],
            cwd=ROOT,
            env=self._environment | more,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._stack.callback(_end, process)
        return process


def _end(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.wait()
    if process.stdout:
        process.stdout.close()


@pytest.fixture
def workers(database_url: str) -> Iterator[Workers]:
    with ExitStack() as stack:
        yield Workers(database_url, stack)
