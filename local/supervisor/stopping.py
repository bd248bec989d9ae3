"""Ends a group of processes together: asked first, killed when their time is over."""

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress

from local.supervisor.child import ProcessSpec

Running = tuple[ProcessSpec, subprocess.Popen[bytes]]


def stop_all(running: Sequence[Running]) -> None:
    """Signal all of them at once, wait for each until its `stop_seconds` are over, then kill what is left."""
    began = time.monotonic()
    for spec, process in running:
        if process.poll() is None:
            process.send_signal(spec.stop_signal)
    for spec, process in running:
        with suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, began + spec.stop_seconds - time.monotonic()))
    for _spec, process in running:
        _kill_session(process)


def _kill_session(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of the process and of the group that it leads, and reap it."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
