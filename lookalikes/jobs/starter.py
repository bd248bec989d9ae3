"""Starts the process that learns and scores, when there is something for it to do.

It is a process of its own because what it imports is large: nobody who lives long may hold that. This module imports
none of it.
"""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from core import clock
from lookalikes import orders

STOP_SECONDS = 5.0


class Starter:
    """`command` does all that is due and ends."""

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        self._command = command
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def tend(self) -> None:
        """To be called again and again: reaps the process, or starts one."""
        if self._process is not None and self._process.poll() is None:
            return
        self._process = None
        if orders.due(clock.now()):
            self._process = subprocess.Popen(self._command, cwd=self._folder)

    def stop(self) -> None:
        """What it has not finished stays due."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
