"""What a supervised process is, how one is started, and how a group of them is stopped."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing import parent_process
from pathlib import Path
from typing import IO

from core.right_of_way import lower_priority

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None  # loaded here: not between fork and exec


def die_with_parent(death_signal: signal.Signals = signal.SIGTERM, parent: int | None = None) -> None:
    """Let the kernel send `death_signal` to this process when its parent ends, or now if it has already.

    `parent` is the expected parent's pid; by default `multiprocessing`'s, where that started this process.
    Survives exec, is not inherited by children, and is lost when the process changes its user.
    """
    if _libc is None:
        return
    _libc.prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
    expected = parent if parent is not None else _multiprocessing_parent()
    if expected is not None and os.getppid() != expected:
        os.kill(os.getpid(), death_signal)


def _multiprocessing_parent() -> int | None:
    parent = parent_process()
    return parent.pid if parent is not None else None


@dataclass(frozen=True, slots=True)
class Account:
    """The system user a process runs as."""

    uid: int
    gid: int


def _always() -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSpec:
    """One process to keep running.

    `environment` is the whole environment (None: this process's). `may_start` is asked before every start,
    and again soon while it says no; `ready` tells whether a started process serves. Both answer quickly.
    `stop_signal` asks it to end by itself within `stop_seconds`, lower `stop_rank`s first; `death_signal` is
    what the kernel sends it when the supervisor is killed. `niceness`: as of `nice`; more for work in the background.
    """

    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str] | None = None
    folder: Path | None = None
    log: Path | None = None
    account: Account | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGKILL
    stop_rank: int = 0
    niceness: int = 0
    stop_seconds: float = 5.0
    may_start: Callable[[], bool] = _always
    ready: Callable[[], bool] = _always


def spawn(spec: ProcessSpec) -> subprocess.Popen[bytes]:
    """Start the process in a session of its own, so that a terminal's Ctrl-C reaches the supervisor only.

    Its output goes to its log, or else to this process's standard error: standard output is the command's.
    """
    output = spec.log.open("ab") if spec.log else nullcontext(2)
    with output as stream:
        return _popen(spec, stream)


def _popen(spec: ProcessSpec, output: IO[bytes] | int) -> subprocess.Popen[bytes]:
    account = spec.account
    return subprocess.Popen(
        spec.argv,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        env=spec.environment,
        cwd=spec.folder,
        start_new_session=True,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
        # after the change of user, which would undo it; the supervisor has one thread, so this is safe
        preexec_fn=partial(_begin, spec, os.getpid()),  # noqa: PLW1509
    )


def _begin(spec: ProcessSpec, parent: int) -> None:
    die_with_parent(spec.death_signal, parent)
    if spec.niceness:
        lower_priority(spec.niceness)


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
