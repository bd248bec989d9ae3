"""Starts the process that trains and scores lookalikes, when a job is due.

It is a process of its own because what it imports (numpy, scikit-learn) is large: no process that lives long may hold
that. This module must import none of it.
"""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from core import clock
from lookalikes import schedule

STOP_SECONDS = 5.0


class JobStarter:
    """Keeps at most one such process running. `command` runs all jobs that are due, and ends."""

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        self._command = command
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def tend(self) -> None:
        """Start the process where a job is due and none runs. The sweeper calls this again and again."""
        if self._process is not None and self._process.poll() is None:
            return
        self._process = None
        if schedule.due_jobs(clock.now()):
            self._process = subprocess.Popen(self._command, cwd=self._folder)

    def stop(self) -> None:
        """Stop the process. What it has not finished stays due."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
