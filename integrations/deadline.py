"""Ends an exchange with a platform at a fixed time, whatever the platform does.

The time-out of a socket begins again with each byte, so a platform that sends a byte now and then could hold a request
for ever. A `Deadline` is about the whole exchange: name look-up, connection, TLS, upload, headers and body. One thread
for each process watches all deadlines and shuts down the sockets of those that have passed. Whoever waits on such a
socket wakes up with an error or an end of file.
"""

import heapq
import math
import os
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import Any, TypeVar

Result = TypeVar("Result")

# for SO_LINGER: closing resets the connection, so that a slow reader does not get the rest of a request later
AT_ONCE = struct.pack("ii", 1, 0)


class Deadline:
    """The end of one exchange: after `seconds`, or after `step` seconds without progress if that comes first.

    Use it as a context manager. `sending` becomes true when the first byte of a request may have been sent: only from
    then on can the platform have applied anything. Threads may share a deadline.
    """

    __slots__ = ("_at", "_closed", "_end", "_guard", "_passed", "_sockets", "_step", "sending")

    def __init__(self, seconds: float, step: float | None = None) -> None:
        now = time.monotonic()
        self._step = seconds if step is None else step
        self._end = now + seconds
        self._at = min(self._end, now + self._step)
        self._guard = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._passed = self._closed = self.sending = False

    def __enter__(self) -> "Deadline":
        _watchdog.watch(self._at, self)
        return self

    def __exit__(self, *_: object) -> None:
        with self._guard:
            self._closed = True
            sockets, self._sockets = self._sockets, []
        for one in sockets:
            one.close()

    @property
    def closed(self) -> bool:
        """Whether the exchange is finished."""
        return self._closed

    @property
    def passed(self) -> bool:
        """Whether the time is over."""
        return self._passed or time.monotonic() >= self._at

    @property
    def left(self) -> float:
        """The seconds that are left; 0 if the time is over."""
        return 0.0 if self._passed else max(0.0, self._at - time.monotonic())

    def progress(self) -> None:
        """Begin a new step, because a part of the work is done."""
        self._at = min(self._end, time.monotonic() + self._step)

    def watch(self, connected: socket.socket) -> None:
        """Shut this socket down when the time is over, also after it was wrapped with TLS."""
        # a duplicate stays valid while the owner wraps, detaches or closes the socket
        kept = socket.socket(connected.family, connected.type, connected.proto, os.dup(connected.fileno()))
        with self._guard:
            if not (self._passed or self._closed):
                self._sockets.append(kept)
                return
        _shut(kept)
        kept.close()

    def wait_for(self, work: Callable[[], Result]) -> Result:
        """Return what `work` returns. Raises `TimeoutError` when the time is over; `work` then goes on unheeded.

        For calls that nothing can interrupt, such as the look-up of a name.
        """
        return _helpers.call(work, self.left)

    def expire(self, now: float) -> float | None:
        """Shut the sockets down if the time is over. Return when to look again; None for never. For the watchdog."""
        with self._guard:
            if self._closed:
                return None
            if now < self._at:
                return self._at
            self._passed = True
            for one in self._sockets:
                _shut(one)
            return None


def _shut(connected: socket.socket) -> None:
    """Wake whoever waits on the socket. What is still to be sent is thrown away when it is closed."""
    with suppress(OSError):
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
        connected.shutdown(socket.SHUT_RDWR)


class _Watchdog:
    """One thread that wakes at the earliest deadline. Those of finished exchanges are dropped without waking it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: list[tuple[float, int, Deadline]] = []
        self._number = count()
        self._wakes_at = math.inf
        self._thread: threading.Thread | None = None

    def watch(self, at: float, deadline: Deadline) -> None:
        with self._changed:
            self._drop_closed()
            heapq.heappush(self._waiting, (at, next(self._number), deadline))
            if at < self._wakes_at:
                self._changed.notify()
            if self._thread is None or not self._thread.is_alive():  # also in a forked child
                self._thread = threading.Thread(target=self._run, name="deadlines", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            deadline = self._next()
            again = deadline.expire(time.monotonic())
            if again is not None:
                self.watch(again, deadline)

    def _next(self) -> Deadline:
        """Wait until the earliest deadline is due, and take it out."""
        with self._changed:
            while True:
                self._drop_closed()
                self._wakes_at = self._waiting[0][0] if self._waiting else math.inf
                left = self._wakes_at - time.monotonic()
                if left <= 0:
                    return heapq.heappop(self._waiting)[2]
                self._changed.wait(left if self._waiting else None)

    def _drop_closed(self) -> None:
        while self._waiting and self._waiting[0][2].closed:
            heapq.heappop(self._waiting)


class _Call:
    """A call in a helper's hands."""

    __slots__ = ("done", "failure", "result", "work")

    def __init__(self, work: Callable[[], Any]) -> None:
        self.work, self.done = work, threading.Event()
        self.result: Any = None
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            self.result = self.work()
        except BaseException as failure:  # raised where the result is waited for
            self.failure = failure
        self.done.set()


class _Helper:
    """A thread that makes one call after another."""

    def __init__(self, idle: "list[_Helper]") -> None:
        self._idle = idle
        self._call: _Call | None = None
        self._given = threading.Semaphore(0)
        threading.Thread(target=self._run, name="helper", daemon=True).start()

    def give(self, call: _Call) -> None:
        self._call = call
        self._given.release()

    def _run(self) -> None:
        while True:
            self._given.acquire()
            call, self._call = self._call, None
            assert call is not None
            call.run()
            del call
            self._idle.append(self)


class _Helpers:
    """Helpers are kept for later calls. One that does not come back in time is not waited for."""

    def __init__(self) -> None:
        self._idle: list[_Helper] = []

    def forget(self) -> None:
        """Called in a forked child, which has none of the threads."""
        self._idle.clear()

    def call(self, work: Callable[[], Result], seconds: float) -> Result:
        call = _Call(work)
        try:
            helper = self._idle.pop()
        except IndexError:
            helper = _Helper(self._idle)
        helper.give(call)
        if not call.done.wait(seconds):
            raise TimeoutError
        if call.failure is not None:
            raise call.failure
        result: Result = call.result
        return result


_watchdog = _Watchdog()
_helpers = _Helpers()
os.register_at_fork(after_in_child=_helpers.forget)
