"""Absorbers in processes of their own (`absorbing`), on the test database."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from core.environment import PROJECT_ROOT
from tests.support.processes import kill, variables_of_hub


class Workers:
    """Starts absorbers; those that are left at the end are killed."""

    def __init__(self, database_url: str, stack: ExitStack) -> None:
        self._stack = stack
        self._environment = variables_of_hub(database_url)

    def start(self, **more: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.absorbing"],
            cwd=PROJECT_ROOT,
            env=self._environment | more,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._stack.callback(kill, process)
        return process


@pytest.fixture
def workers(database_url: str) -> Iterator[Workers]:
    with ExitStack() as stack:
        yield Workers(database_url, stack)
