"""Where PostgreSQL spends its time: a sample, every few milliseconds, of what each of its sessions is at."""

from collections import Counter
from typing import Any

import psycopg

from benchmarks.bounds import Table
from benchmarks.sampling import Sampler

EVERY_SECONDS = 0.02
SHOWN = 15
WIDTH = 70

ACTIVE = """
SELECT application_name, coalesce(wait_event_type || ' ' || wait_event, 'running'), query FROM pg_stat_activity
WHERE state = 'active' AND pid <> pg_backend_pid()
"""


class Statements(Sampler):
    """While entered, samples on a connection of its own; `table` afterwards."""

    def __init__(self, database_url: str) -> None:
        super().__init__()
        self._database_url = database_url
        self._seen: Counter[tuple[str, str, str]] = Counter()
        self._samples = 0

    def table(self, title: str) -> Table:
        """The share of samples in which a statement was found, most first."""
        rows = [
            [statement, who, what, f"{100 * count / self._samples:.1f} %"]
            for (who, what, statement), count in self._seen.most_common(SHOWN)
        ]
        return Table(title, ["statement", "for", "state", "of the time"], rows)

    def _run(self) -> None:
        with psycopg.connect(self._database_url, autocommit=True, application_name="statements") as database:
            while not self._over.wait(EVERY_SECONDS):
                self._sample(database)

    def _sample(self, database: psycopg.Connection[Any]) -> None:
        self._samples += 1
        for who, what, query in database.execute(ACTIVE).fetchall():
            self._seen[who, what, " ".join(query.split())[:WIDTH]] += 1
