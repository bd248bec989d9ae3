"""How a hub fares while time passes: the memory of its processes and what waits in it, sampled."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any

import psycopg

from benchmarks.sampling import Sampler
from benchmarks.site import Site
from benchmarks.usage import Memory, memory
from core import arrays, clock
from core.buckets import BUCKETS
from core.database import OPTIONS

BARS = " ▁▂▃▄▅▆▇█"

# each is found by an index, so that looking costs little
DELIVERIES = """
SELECT count(*) FROM delivery WHERE wanted = ANY('{false,true}') AND bucket = ANY(%(buckets)s::smallint[])
  AND activation_id = ANY(%(activations)s::int[]) AND due_at IS NOT NULL
"""
RECHECKS = """
SELECT count(*) FROM membership WHERE bucket = ANY(%(buckets)s::smallint[]) AND look_again_at <= %(now)s
"""
ACTIVATIONS = "SELECT coalesce(array_agg(id), '{}') FROM activation"
MOST_INBOX = 1_000_000

Process = tuple[str, int]
"""Name and pid."""


@dataclass(frozen=True, slots=True)
class Sample:
    """`at`: unix time. What waits: rows of the inbox, deliveries that are due, memberships to be looked at again."""

    at: float
    memory: dict[Process, Memory]
    inbox: int
    deliveries: int
    rechecks: int


class Curve(Sampler):
    """While entered, samples every so many seconds, on connections of its own; `samples` afterwards."""

    def __init__(self, site: Site, every_seconds: float) -> None:
        super().__init__()
        self.samples: list[Sample] = []
        self.error: Exception | None = None
        self._site = site
        self._every = every_seconds

    def _run(self) -> None:
        from pipeline.absorb.inbox_marks import InboxMarks

        marks = InboxMarks()
        with psycopg.connect(self._site.database_url, autocommit=True, options=OPTIONS) as database:
            arrays.register(database)
            while not self._over.wait(self._every):
                try:
                    self.samples.append(self._sample(database, marks))
                except (psycopg.Error, OSError) as error:
                    self.error = error  # told by the run: a curve with holes shows nothing

    def _sample(self, database: psycopg.Connection[Any], marks: Any) -> Sample:
        from pipeline.absorb.rows import count_waiting

        now, used = time.time(), {}
        for pid, name in self._site.process_names().items():
            used[name, pid] = memory(pid)
        (activations,) = database.execute(ACTIVATIONS).fetchone() or ([],)
        values = {"buckets": list(range(BUCKETS)), "now": clock.now(), "activations": activations}
        deliveries, rechecks = (_count(database, statement, values) for statement in (DELIVERIES, RECHECKS))
        with database.cursor(binary=True) as cursor:
            inbox = count_waiting(cursor, MOST_INBOX, marks)
        return Sample(now, used, inbox, deliveries, rechecks)


def in_slices(samples: Sequence[Sample], began: float, seconds: float, slices: int) -> list[list[Sample]]:
    """The samples of each of so many equal parts of a run."""
    found: list[list[Sample]] = [[] for _ in range(slices)]
    for sample in samples:
        part = int((sample.at - began) / seconds * slices)
        if 0 <= part < slices:
            found[part].append(sample)
    return found


def drawn(values: Sequence[float], most: float) -> str:
    """A line of bars, one for each value; the highest bar is for `most` and more."""
    steps = len(BARS) - 1
    return "".join(BARS[0 if isnan(value) else min(steps, round(value / most * steps))] for value in values)


def _count(database: psycopg.Connection[Any], statement: str, values: dict[str, Any]) -> int:
    (found,) = database.execute(statement, values).fetchone() or (0,)
    return int(found)
