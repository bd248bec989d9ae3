"""What a supervised process is, and how one is started."""

import os
import signal
import subprocess
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from local.supervisor.parent_death import die_with_parent


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
    what the kernel sends it when the supervisor is killed.
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
        preexec_fn=partial(die_with_parent, spec.death_signal, os.getpid()),  # noqa: PLW1509
    )
