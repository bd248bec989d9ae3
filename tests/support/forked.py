"""Processes that begin at once: forked from one that has imported everything already.

`start` runs `main` of a module as `python -m` would, with variables and arguments of its own. The modules of the hub
take seconds to import, and some tests let a dozen processes die.
"""

import importlib
import os
import signal
import sys
from collections.abc import Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from multiprocessing.forkserver import ensure_running
from subprocess import TimeoutExpired
from typing import Any

import pytest
from django.conf import settings

from dmphub.settings import database
from tests.support.processes import variables_of_hub

IMPORTED = [
    *("pytest", "tests.support.absorbing", "tests.support.delivering", "tests.support.importing"),
    *("pipeline.deliver", "pipeline.sweeper", "activation.delivery.file_sender", "integrations.connectors.registry"),
]
_context = get_context("forkserver")


class Forked:
    """As much of `subprocess.Popen`, with its output as text in a pipe, as tests ask of it."""

    def __init__(self, process: ForkServerProcess, output: Connection) -> None:
        self._process = process
        self.stdout = os.fdopen(os.dup(output.fileno()), encoding="utf-8")
        output.close()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Returns the exit status, negative where a signal ended it."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise TimeoutExpired(self._process.name, timeout or 0.0)
        return self._process.exitcode

    def read_to_end(self, timeout: float) -> str:
        """Wait for the end. Returns the output."""
        self.wait(timeout)
        return self.stdout.read()

    def send_signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        """End it, wherever it is."""
        self._process.kill()
        self._process.join()
        self.stdout.close()


def start(module: str, arguments: Sequence[str], database_url: str, variables: dict[str, str]) -> Forked:
    """Run `main` of the module on the test database."""
    _ensure_server(database_url)
    output, written = _context.Pipe(duplex=False)
    process = _context.Process(target=_run, args=(module, list(arguments), variables, written), name=module)
    process.start()
    written.close()
    return Forked(process, output)


def _ensure_server(database_url: str) -> None:
    """The first process, which imports, reads the settings from its environment."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables_of_hub(database_url).items():
            patch.setenv(name, value)
        _context.set_forkserver_preload(IMPORTED)
        ensure_running()


def _run(module: str, arguments: list[str], variables: dict[str, str], output: Any) -> None:
    os.environ.update(variables)
    if "DATABASE_URL" in variables:
        settings.DATABASES["default"].update(database(variables["DATABASE_URL"]))
    os.dup2(output.fileno(), sys.stdout.fileno())
    output.close()
    sys.argv = [module, *arguments]
    importlib.import_module(module).main()
    sys.stdout.flush()
