"""The senders: many kept connections, one pace."""

import asyncio
import time
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from local.demo.connection import Connection, Repeats
from local.demo.effects import Effects
from local.demo.failure import DemonstrationError
from local.demo.pace import Pace
from local.demo.script import Kind, Step

CONNECTIONS = 64


@dataclass(slots=True)
class Played:
    """How far the play is. `answers` counts (kind, X-DMP-Status)."""

    steps: int
    sent: int = 0
    seconds: float = 0.0
    held_seconds: float = 0.0
    answers: Counter[tuple[Kind, str]] = field(default_factory=Counter)
    repeats: Repeats = field(default_factory=Repeats)


class NotAcceptedError(DemonstrationError):
    """The edge refused a request of the play, so that it cannot end well."""


async def play(steps: Sequence[Step], port: int, pace: Pace, effects: Effects, played: Played) -> None:
    """Send every step at its time, those of one customer one after another.

    NotAccepted at the first refusal, EdgeGone where the edge no longer answers.
    """
    shares: list[list[tuple[int, Step]]] = [[] for _ in range(CONNECTIONS)]
    for number, step in enumerate(steps):
        shares[zlib.crc32(step.customer.encode()) % CONNECTIONS].append((number, step))
    began = time.monotonic()
    pace.begin()
    try:
        async with asyncio.TaskGroup() as senders:
            for share in shares:
                connection = Connection("127.0.0.1", port, played.repeats)
                senders.create_task(_send(share, connection, pace, effects, played))
    except ExceptionGroup as failures:
        first = failures.exceptions[0]
        raise (first if isinstance(first, DemonstrationError) else failures) from None
    played.seconds, played.held_seconds = time.monotonic() - began, pace.held_seconds


async def _send(
    share: list[tuple[int, Step]], connection: Connection, pace: Pace, effects: Effects, played: Played
) -> None:
    for number, step in share:
        await pace.reach(number)
        answer = await connection.ask(step.request())
        if answer.name not in {"accepted", "stored"}:
            raise NotAcceptedError(f"{step.kind}: {answer.status} {answer.name} for {step.request()!r}")
        effects.accepted(step, time.time())
        played.sent += 1
        played.answers[step.kind, answer.name] += 1
    await connection.close()
