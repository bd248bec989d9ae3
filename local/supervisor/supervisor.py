"""Starts processes, restarts those that end, and stops all of them in order. One thread, one loop."""

import subprocess
import time
from collections.abc import Callable, Iterable
from itertools import groupby
from operator import attrgetter

from local.supervisor.child import ProcessSpec, spawn, stop_all

FREQUENCY_SECONDS = 0.05
SHORT_LIFE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 3.0


class StartFailedError(Exception):
    """A process ended again and again before it served."""


class StopRequestedError(Exception):
    """A stop signal came while the supervisor was waiting."""


class Watched:
    """One spec and the process that runs it at present, if any."""

    def __init__(self, spec: ProcessSpec) -> None:
        self.spec = spec
        self.process: subprocess.Popen[bytes] | None = None
        self.ends = 0
        self._short_lives = 0
        self._started_at = 0.0
        self._start_due = 0.0

    def tend(self) -> bool:
        """Reap the process if it has ended, start it if it is due; True where the pid changed."""
        if self.process is not None and self.process.poll() is not None:
            self._ended()
            return True
        if self.process is None and time.monotonic() >= self._start_due and self.spec.may_start():
            self.process = spawn(self.spec)
            self._started_at = time.monotonic()
            return True
        return False

    def _ended(self) -> None:
        self.process = None
        self.ends += 1
        now = time.monotonic()
        short = now - self._started_at < SHORT_LIFE_SECONDS
        self._short_lives = self._short_lives + 1 if short else 0
        again = self._short_lives - 1  # the first is answered by a start at once
        pause = 0.1 * 2.0 ** min(again, 10) if again > 0 else 0.0
        self._start_due = now + min(pause, LONGEST_PAUSE_SECONDS)


class Supervisor:
    """Keeps processes running until `stop`.

    `wait(seconds)` sleeps and may return early, `stop_requested` is asked after each; both come from
    `signals.Signals` in the foreground. `on_change` gets name → pid whenever a process starts or ends.
    """

    def __init__(
        self,
        *,
        wait: Callable[[float], None] = time.sleep,
        stop_requested: Callable[[], bool] = lambda: False,
        on_change: Callable[[dict[str, int]], None] = lambda _pids: None,
    ) -> None:
        self._watched: dict[str, Watched] = {}
        self._wait = wait
        self._stop_requested = stop_requested
        self._on_change = on_change

    @property
    def pids(self) -> dict[str, int]:
        return {name: each.process.pid for name, each in self._watched.items() if each.process is not None}

    def start(self, specs: Iterable[ProcessSpec]) -> None:
        self._watched |= {spec.name: Watched(spec) for spec in specs}
        self._tend()

    def until_ready(self, *, tries: int = 10) -> None:
        """Return once every process serves; a slow one is waited for as long as it lives.

        Raises StartFailedError if one has ended `tries` times before that.
        """
        waiting = list(self._watched.values())
        while waiting := [each for each in waiting if not (each.process is not None and each.spec.ready())]:
            self._step()
            for each in waiting:
                if each.ends >= tries:
                    raise StartFailedError(f"{each.spec.name} does not start; its output above says why")

    def complete(self, *specs: ProcessSpec) -> None:
        """Run processes to their end, side by side, while the others are kept running.

        Raises StartFailedError if one fails.
        """
        running = [(spec, spawn(spec)) for spec in specs]
        try:
            while any(process.poll() is None for _, process in running):
                self._step()
        finally:
            stop_all(running)
        for spec, process in running:
            if process.returncode != 0:
                raise StartFailedError(f"{spec.name} failed with status {process.returncode}")

    def run(self) -> None:
        """Keep the processes running until a stop is requested."""
        try:
            while True:
                self._step()
        except StopRequestedError:
            return

    def stop(self) -> None:
        """Stop every process, the lowest ranks first; returns when all have ended."""
        watched = sorted(self._watched.values(), key=attrgetter("spec.stop_rank"))
        self._watched = {}
        for _rank, group in groupby(watched, key=attrgetter("spec.stop_rank")):
            stop_all([(each.spec, each.process) for each in group if each.process is not None])

    def _step(self) -> None:
        self._wait(FREQUENCY_SECONDS)
        if self._stop_requested():
            raise StopRequestedError
        self._tend()

    def _tend(self) -> None:
        changed = [each.tend() for each in self._watched.values()]
        if any(changed):
            self._on_change(self.pids)
