"""Locks of a home: one process runs its services, others may be guests. They end with the process."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class HomeInUseError(Exception):
    """Another process runs the services of this home."""


@contextmanager
def claimed(home: Path, *, patience: float = 0.0) -> Iterator[None]:
    """Hold the lock of the one process that runs the home's services.

    Waits up to `patience` seconds for another process, then raises HomeInUseError.
    """
    with _opened(home / "lock") as descriptor:
        give_up_at = time.monotonic() + patience
        while not _try_lock(descriptor):
            if time.monotonic() >= give_up_at:
                owner = os.pread(descriptor, 32, 0).decode(errors="replace") or "unknown"
                raise HomeInUseError(f"{home} is in use by another hub (process {owner})")
            time.sleep(0.1)
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield


@contextmanager
def as_guest(home: Path) -> Iterator[None]:
    """Keep whoever runs the services in a `session` from stopping them meanwhile."""
    with _opened(home / "guests") as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield


@contextmanager
def without_guests(home: Path) -> Iterator[None]:
    """Wait until every guest has left, and keep new ones waiting."""
    with _opened(home / "guests") as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)  # child processes do not inherit it
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
