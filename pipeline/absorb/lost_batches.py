"""Batches over which the database went away while their worker lives on: no row is to blame.

Their notes look like those that dead workers leave. So each process remembers them, and takes them back as soon as it
has a connection again; where another worker was quicker and has counted an attempt, that is undone.

A row may also bring the server down, and then it has to be found. The backend that crashes says nothing to its client,
while all others say goodbye, and the server comes to life again under the same first process. Only then the note stays.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Generic, NamedTuple, TypeVar

from core.database import Connection

# statistics are discarded when a server recovers from a crash, and kept when it is stopped and started
LIFE = "SELECT pg_postmaster_start_time(), stats_reset FROM pg_stat_bgwriter"

Noted = TypeVar("Noted")


class ServerLife(NamedTuple):
    """Since when the server's first process runs, and since when it has not crashed."""

    started_at: datetime
    recovered_at: datetime | None

    @classmethod
    def read(cls, connection: Connection) -> "ServerLife":
        row = connection.execute(LIFE).fetchone()
        assert row is not None
        return cls(*row)


@dataclass(frozen=True, slots=True)
class LostBatch(Generic[Noted]):
    """`life`: the server's, before it went away; `told`: it said to the worker that it would."""

    note: Noted
    life: ServerLife
    told: bool

    def is_to_blame(self, now: ServerLife) -> bool:
        """Whether the batch may have crashed the server, as it lives now."""
        return not self.told and self.life.started_at == now.started_at and self.life != now
