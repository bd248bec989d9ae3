"""Processes of an earlier run that still work in a service's folder, and how they are made to leave."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(slots=True)
class LeftoverProcesses:
    """The processes of one program whose working folder is `folder`; only for who holds the home's lock.

    They are known by their working folder, not by a pid in a file, which may be another process's by now.
    """

    program: str
    folder: Path
    leader_signal: signal.Signals
    _since: float | None = field(default=None, init=False)

    def gone(self) -> bool:
        """Return whether no such process is left. Every call signals those that are: after 40 s they are killed."""
        pids = list(self._pids())
        if not pids:
            self._since = None
            return True
        now = time.monotonic()
        self._since = self._since or now
        urgent = now - self._since
        for pid in pids:
            if urgent > 40:
                _send(pid, signal.SIGKILL)
            elif urgent > 20:
                _send(pid, signal.SIGQUIT)
            elif self._leads(pid):
                _send(pid, self.leader_signal)
        return False

    def _pids(self) -> Iterator[int]:
        return (int(entry.name) for entry in Path("/proc").glob("[0-9]*") if self._works_here(entry))

    def _works_here(self, entry: Path) -> bool:
        with suppress(OSError):
            return (entry / "cwd").readlink() == self.folder and self._runs_program(entry)
        return False

    def _runs_program(self, entry: Path) -> bool:
        return (entry / "comm").read_text(encoding="ascii", errors="replace").strip() == self.program

    def _leads(self, pid: int) -> bool:
        """Whether it was started from outside, not by another process of the same program."""
        with suppress(OSError):
            status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
            parent = Path("/proc") / status.rpartition(")")[2].split()[1]
            return not self._works_here(parent)
        return False


def _send(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)
