"""The signals of a foreground command, as something a single-threaded loop can wait on."""

import select
import signal
import socket
from types import FrameType
from typing import Any, Self

_STOP = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Signals:
    """While entered, a stop signal is remembered instead of acted on, and any signal ends `wait` early."""

    def __init__(self) -> None:
        self._stop = False
        self._previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        self._bell, self._rung = socket.socketpair()
        self._bell.setblocking(False)
        self._rung.setblocking(False)
        self._previous_fd = signal.set_wakeup_fd(self._rung.fileno(), warn_on_full_buffer=False)
        for number in (*_STOP, signal.SIGCHLD):
            self._previous[number] = signal.signal(number, self._received)
        return self

    def __exit__(self, *_exception: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._previous_fd)
        self._bell.close()
        self._rung.close()

    def stop_requested(self) -> bool:
        return self._stop

    def wait(self, seconds: float) -> None:
        ready, _, _ = select.select([self._bell], [], [], seconds)
        if ready:
            self._bell.recv(4096)

    def _received(self, number: int, _frame: FrameType | None) -> None:
        if number in _STOP:
            self._stop = True
