"""A run of odd conversations with an edge, several at a time, and what was wrong with its answers."""

import itertools
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field

from tests.support.edge_answers import DocumentedStatuses, NoAnswerError, WireAnswer, answers_in
from tests.support.odd_conversations import Conversation, ConversationDrawer, Ending
from tests.support.planted import Planted

DEADLINE = 100.0  # seconds for a whole conversation: the edge's own are a minute at most
EVERY = 250  # conversations between two storms
STORM = 150
MOST_FAULTS = 30
_HERE = "127.0.0.1"
_RESET = struct.pack("ii", 1, 0)
_HEALTH = b"GET /healthz HTTP/1.1\r\nHost: edge\r\nConnection: close\r\n\r\n"
_BEGINNINGS = (
    b"",
    b"G",
    b"GET /dp HTTP/1.1\r\nHost: edge\r\n",
    b"POST /dp HTTP/1.1\r\nHost: edge\r\nContent-Length: 9\r\n\r\n{",
)


@dataclass
class FuzzReport:
    """`faults`: what was wrong, with the number by which the seed gives the conversation again."""

    conversations: Counter[str] = field(default_factory=Counter)
    answers: Counter[tuple[int, str]] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def told(self) -> str:
        kinds = ", ".join(f"{kind} {count:,}" for kind, count in sorted(self.conversations.items()))
        names = ", ".join(f"{status} {name} {count:,}" for (status, name), count in sorted(self.answers.items()))
        return f"{self.conversations.total():,} conversations: {kinds}\n{self.answers.total():,} answers: {names}"


class EdgeFuzz:
    def __init__(self, port: int, drawer: ConversationDrawer, planted: Planted, seed: int) -> None:
        self.report = FuzzReport()
        self._port, self._drawer, self._planted, self._seed = port, drawer, planted, seed
        self._statuses = DocumentedStatuses()
        self._lock = threading.Lock()
        self._numbers: Iterator[int] = itertools.count(1)
        self._most = 0
        self._end = 0.0

    def run(self, *, seconds: float, most: int, threads: int) -> FuzzReport:
        """Hold so many conversations, or as many as there is time for, several at a time."""
        self._most, self._end = most, time.monotonic() + seconds
        workers = [threading.Thread(target=self._work, daemon=True) for _ in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return self.report

    def _work(self) -> None:
        while time.monotonic() < self._end and len(self.report.faults) < MOST_FAULTS:
            with self._lock:
                number = next(self._numbers)
            if number > self._most:
                return
            try:
                faults = self._storm() if number % EVERY == 0 else self._hold(self._drawer.draw(self._seed, number))
            except Exception as error:
                faults = [f"failed: {error!r}"]
            with self._lock:
                self.report.faults += [f"seed {self._seed}, conversation {number}: {fault}" for fault in faults]

    def _hold(self, conversation: Conversation) -> list[str]:
        received, cut = converse(self._port, conversation)
        sent = conversation.sent
        faults = [f"shows {name}" for name in self._planted.seen_in(received, sent)]
        answers: list[WireAnswer] = []
        try:
            answers += answers_in(received, cut=cut, may_be_head=b"HEAD" in sent)
        except NoAnswerError as error:
            faults.append(str(error))
        faults += filter(None, map(self._statuses.fault_of, answers))
        if conversation.answers is not None and len(answers) != conversation.answers:
            faults.append(f"{len(answers)} answers to {conversation.answers} requests")
        self._count(conversation.kind, answers)
        return [f"{conversation.kind}: {fault}; sent {sent[:600]!r}" for fault in faults]

    def _storm(self) -> list[str]:
        """Many connections at once that begin something; meanwhile one request that is in order is answered."""
        with ExitStack() as stack:
            for number in range(STORM):
                one = stack.enter_context(socket.create_connection((_HERE, self._port), timeout=DEADLINE))
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                one.sendall(_BEGINNINGS[number % len(_BEGINNINGS)])
            healthy = Conversation("storm", ((0.0, _HEALTH),), answers=1)
            return self._hold(healthy)

    def _count(self, kind: str, answers: list[WireAnswer]) -> None:
        with self._lock:
            self.report.conversations[kind] += 1
            self.report.answers.update((answer.status, answer.name) for answer in answers)


def converse(port: int, conversation: Conversation) -> tuple[bytes, bool]:
    """Returns what was received, and whether its end may be missing. Raises TimeoutError where no end comes."""
    with socket.create_connection((_HERE, port), timeout=DEADLINE) as connection:
        whole = True
        try:
            for pause, part in conversation.parts:
                time.sleep(pause)
                connection.sendall(part)
            if conversation.ending is Ending.SHUT:
                connection.shutdown(socket.SHUT_WR)
        except TimeoutError:
            raise
        except OSError:
            whole = False  # the edge had enough before all was sent
        if conversation.ending is Ending.RESET:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        if conversation.ending in {Ending.RESET, Ending.LEAVE}:
            return b"", True
        received = bytearray()
        with suppress(ConnectionResetError):
            while part := connection.recv(65_536):
                received += part
            return bytes(received), not whole
        return bytes(received), True
