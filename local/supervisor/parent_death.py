"""A process that ends with its parent, however that one ends (Linux: PR_SET_PDEATHSIG; elsewhere nothing)."""

import ctypes
import os
import signal
import sys
from multiprocessing import parent_process

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
