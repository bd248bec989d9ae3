"""Deliverers in processes of their own, on the test database."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from core.environment import PROJECT_ROOT
from integrations.models import Platform
from tests.support.processes import kill, variables_of_hub


class Deliverers:
    """Starts `tests.support.delivering`; those that are left at the end are killed."""

    def __init__(self, database_url: str, stack: ExitStack) -> None:
        self._stack = stack
        own = {"DMPHUB_ALLOW_PRIVATE_TARGETS": "1", "HASTY": "0.5"}
        self._environment = variables_of_hub(database_url) | own

    def start(self, platform: Platform, **more: str) -> "subprocess.Popen[str]":
        """Returns when it begins to deliver."""
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.delivering", str(platform.pl)],
            cwd=PROJECT_ROOT,
            env=self._environment | more,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._stack.callback(kill, process)
        assert process.stdout is not None
        process.stdout.readline()
        return process


@pytest.fixture
def deliverers(database_url: str) -> Iterator[Deliverers]:
    with ExitStack() as stack:
        yield Deliverers(database_url, stack)
