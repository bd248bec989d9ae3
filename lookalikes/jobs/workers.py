"""Reads and scores whole buckets, in a few processes side by side: decoding profiles is most of the work."""

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import django
import numpy as np

from core.database import Connection, connect
from lookalikes.jobs import population as people
from lookalikes.jobs.population import Population
from lookalikes.scoring.fields import FeatureField
from lookalikes.scoring.model import decode_model
from lookalikes.scoring.reader import reader
from lookalikes.training.feature_rows import FeatureRows, Numbers, score_all
from profiles.models import KnownUsers

MOST_PROCESSES = 2
BUCKETS_A_TASK = 4

TaskMap = Callable[[Callable[[Any], Any], Iterable[Any]], Iterator[Any]]
"""A `map` of a function over tasks; the results come in the order of the tasks."""


@dataclass(frozen=True, slots=True)
class ReadTask:
    """Read a share of the members (`of_seed`), or of the others, in some buckets."""

    population: Population
    fields: tuple[FeatureField, ...]
    buckets: Sequence[int]
    of_seed: bool
    share: float
    random_state: int
    now_ms: int


@dataclass(frozen=True, slots=True)
class ScoreTask:
    """Score all users of some buckets by an encoded model."""

    population: Population
    content: bytes
    buckets: Sequence[int]
    now_ms: int


@dataclass(frozen=True, slots=True)
class ScoredBucket:
    """`users`: the 16 bytes of each, beside their `scores`. `in_seed`: how many members the seed has in the bucket."""

    bucket: int
    users: bytes
    scores: Numbers
    in_seed: int


@contextmanager
def processes(count: int | None = None) -> Iterator[TaskMap]:
    """Yields a `map` over tasks that runs in `count` processes; 0: in this one."""
    count = min(MOST_PROCESSES, os.cpu_count() or 1) if count is None else count
    if not count:
        yield map
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, context, initializer=django.setup) as pool:
        yield pool.map


def read_rows(task: ReadTask) -> FeatureRows:
    """Returns the features of the users asked for, in the order of buckets and users."""
    read, rows = reader(task.fields), FeatureRows()
    read_people = people.members if task.of_seed else people.others
    connection = process_connection()
    for bucket in task.buckets:
        for _, facts in read_people(connection, task.population, bucket, task.share, task.random_state):
            rows.add(read(facts, task.now_ms))
    return rows


def score_buckets(task: ScoreTask) -> list[ScoredBucket]:
    """Returns the scores of all eligible users of the buckets."""
    model = decode_model(task.content)
    read, connection = reader(model.fields), process_connection()
    scored = []
    for bucket in task.buckets:
        rows, users = FeatureRows(), list[bytes]()
        for user, facts in people.everybody(connection, task.population, bucket):
            users.append(user)
            rows.add(read(facts, task.now_ms))
        seed = people.users_in(connection, task.population.seed, bucket)
        scores = score_all(model, rows) if users else np.zeros(0)
        scored.append(ScoredBucket(bucket, b"".join(users), scores, len(seed)))
    return scored


def inhabited_buckets(customer: int) -> list[int]:
    """Returns the buckets in which the customer knows users."""
    rows = KnownUsers.objects.filter(customer_id=customer, users__gt=0)
    return sorted(rows.values_list("bucket", flat=True))


def bucket_groups(buckets: Sequence[int]) -> Iterator[Sequence[int]]:
    """Yields the buckets of one task after the other."""
    for first in range(0, len(buckets), BUCKETS_A_TASK):
        yield buckets[first : first + BUCKETS_A_TASK]


_open: list[Connection] = []


def process_connection() -> Connection:
    """Returns the connection of this process."""
    if not _open or _open[0].closed:
        _open[:] = [connect(durable=False)]
    return _open[0]


def close() -> None:
    """Close the connection of this process."""
    while _open:
        _open.pop().close()
