"""Events that are watched: how long each handful stays in the inbox while something else goes on."""

import random
import time
from uuid import UUID

from benchmarks.absorb import Database
from core import buckets
from core.inbox import InboxKind
from core.messages import Event, encode

HANDFUL = 20
EVERY_SECONDS = 0.02
USERS = "SELECT user_id FROM profile WHERE bucket = ANY(%s) AND customer_id = %s LIMIT 5000"
APPEND = "INSERT INTO inbox (bucket, kind, query, received_at) VALUES (%s, %s, %s, now()) RETURNING id"
WAITING = "SELECT count(*) FROM inbox WHERE bucket = ANY(%s) AND id = ANY(%s)"
BUILDS = "SELECT EXISTS (SELECT FROM inbox WHERE kind = %s)"


class Probes:
    def __init__(self, database: Database, customer: int, pixel: int) -> None:
        self._database = database
        self._customer, self._pixel = customer, pixel
        self._chance = random.Random(7)
        rows = database.execute(USERS, [list(range(0, 256, 5)), customer]).fetchall()
        self._users: list[UUID] = [user for (user,) in rows]

    def one(self) -> float:
        """A handful of events: seconds until the last of them is absorbed."""
        began = time.perf_counter()
        users = self._chance.sample(self._users, HANDFUL)
        ids = [self._append(user) for user in users]
        waiting = [[buckets.of_user(user) for user in users], ids]
        while (self._database.execute(WAITING, waiting).fetchone() or (0,))[0]:
            time.sleep(EVERY_SECONDS)
        return time.perf_counter() - began

    def builds_left(self) -> bool:
        (left,) = self._database.execute(BUILDS, [int(InboxKind.BUILD)]).fetchone() or (False,)
        return bool(left)

    def _append(self, user: UUID) -> int:
        event = Event(self._customer, self._pixel, time.time_ns() // 1_000_000, str(user), confirmed=True)
        found = self._database.execute(APPEND, [buckets.of_user(user), int(InboxKind.EVENT), encode(event)]).fetchone()
        return int(found[0]) if found else 0
