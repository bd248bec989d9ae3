"""Reading and scoring whole buckets, by some processes side by side: decoding profiles is most of the work."""

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import django
import numpy as np

from core.database import Connection, connect
from lookalikes.jobs import population
from lookalikes.jobs.population import Crowd
from lookalikes.scoring.fields import Field
from lookalikes.scoring.model import decode_model
from lookalikes.scoring.reader import reader
from lookalikes.training.rows import Numbers, Rows, score_all
from profiles.models import KnownUsers

MOST_PROCESSES = 2
AT_ONCE = 4  # buckets of one errand

Errand = TypeVar("Errand")
Result = TypeVar("Result")
Map = Callable[[Callable[[Errand], Result], Iterable[Errand]], Iterator[Result]]


@dataclass(frozen=True, slots=True)
class Reading:
    """Of the members (`of_seed`) or of the others: the share to take in each bucket."""

    crowd: Crowd
    fields: tuple[Field, ...]
    buckets: Sequence[int]
    of_seed: bool
    share: float
    random_state: int
    now_ms: int


@dataclass(frozen=True, slots=True)
class Scoring:
    crowd: Crowd
    content: bytes
    buckets: Sequence[int]
    now_ms: int


@dataclass(frozen=True, slots=True)
class ScoredBucket:
    """`users`: 16 bytes each, beside their `scores`."""

    bucket: int
    users: bytes
    scores: Numbers
    in_seed: int


@contextmanager
def processes(count: int | None = None) -> Iterator[Map[Any, Any]]:
    """A `map` over errands, in their order, done by so many processes; 0: by this one."""
    count = min(MOST_PROCESSES, os.cpu_count() or 1) if count is None else count
    if not count:
        yield map
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, context, initializer=django.setup) as pool:
        yield pool.map


def read_rows(reading: Reading) -> Rows:
    """The features of the people asked for, in the order of buckets and users."""
    read, rows = reader(reading.fields), Rows()
    people = population.members if reading.of_seed else population.others
    connection = _connection()
    for bucket in reading.buckets:
        for _, facts in people(connection, reading.crowd, bucket, reading.share, reading.random_state):
            rows.add(read(facts, reading.now_ms))
    return rows


def score_buckets(scoring: Scoring) -> list[ScoredBucket]:
    """Everybody's score."""
    model = decode_model(scoring.content)
    read, connection = reader(model.fields), _connection()
    scored = []
    for bucket in scoring.buckets:
        rows, users = Rows(), list[bytes]()
        for user, facts in population.everybody(connection, scoring.crowd, bucket):
            users.append(user)
            rows.add(read(facts, scoring.now_ms))
        seed = population.users_in(connection, scoring.crowd.seed, bucket)
        scores = score_all(model, rows) if users else np.zeros(0)
        scored.append(ScoredBucket(bucket, b"".join(users), scores, len(seed)))
    return scored


def inhabited(customer: int) -> list[int]:
    """The buckets in which the customer knows anybody."""
    rows = KnownUsers.objects.filter(customer_id=customer, users__gt=0)
    return sorted(rows.values_list("bucket", flat=True))


def errands(buckets: Sequence[int]) -> Iterator[Sequence[int]]:
    for first in range(0, len(buckets), AT_ONCE):
        yield buckets[first : first + AT_ONCE]


_open: list[Connection] = []


def _connection() -> Connection:
    """This process's own."""
    if not _open or _open[0].closed:
        _open[:] = [connect(durable=False)]
    return _open[0]


def close() -> None:
    while _open:
        _open.pop().close()
