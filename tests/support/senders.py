"""Senders that keep on until each request is answered, and remember what was answered at once."""

import http.client
import json
import random
import threading
import time
from collections.abc import Mapping
from urllib.parse import urlencode
from uuid import UUID

from tests.support.chaos_world import ChaosConfiguration, ChaosPerson

PAUSE = 0.01  # seconds between two requests of one sender: the machine has other work, too
PAUSE_AFTER_SILENCE = 0.05
PAUSE_OF_BATCHES = 0.5
LINES = 25  # of a batch
ROAMING = 4  # ids of each sender that go from person to person


class EdgeDoor:
    """One connection to the edge. `failure`: an answer that should never be."""

    def __init__(self, port: int) -> None:
        self.requests = self.unanswered = 0
        self.failure = ""
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)

    def until_answered(self, method: str, target: str, body: bytes | None, headers: Mapping[str, str]) -> int:
        """How often it was sent; no answer, or 503, means: again."""
        tries = 0
        while True:
            tries += 1
            self.requests += 1
            status = self._status(method, target, body, headers)
            if status in {200, 302}:
                return tries
            if status not in {0, 503}:
                self.failure = f"{method} {target}: {status}"
                return tries
            self.unanswered += 1
            time.sleep(PAUSE_AFTER_SILENCE)

    def _status(self, method: str, target: str, body: bytes | None, headers: Mapping[str, str]) -> int:
        """0 where no answer came. Sends once: what is sent again has to be counted."""
        try:
            self._connection.request(method, target, body, dict(headers))
            answer = self._connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            return 0
        return answer.status

    def close(self) -> None:
        self._connection.close()


def sync(
    door: EdgeDoor, configured: ChaosConfiguration, person: ChaosPerson, known_as: tuple[str, str], user: UUID
) -> None:
    """The person's browser is known to an account as …: (account, id)."""
    account, platform_user_id = known_as
    query = {"pl": configured.platforms[account], "userid": platform_user_id, "plsec": configured.secrets[account]}
    door.until_answered("GET", f"/uid?{urlencode(query)}", None, {"Cookie": f"dmpuid={user}"})
    person.ids[account].add(platform_user_id)


class Sender(threading.Thread):
    """Speaks for some people, one request after another, through its `door`."""

    def __init__(
        self, number: int, configured: ChaosConfiguration, port: int, people: list[ChaosPerson], chance: random.Random
    ) -> None:
        super().__init__(name=f"sender-{number}", daemon=True)
        self.people = people
        self.door = EdgeDoor(port)
        self._number, self._configured, self._chance = number, configured, chance
        self._accounts = list(configured.platforms)
        self._enough = threading.Event()
        self._time = time.time() - 7_200

    def enough(self) -> None:
        self._enough.set()

    def run(self) -> None:
        for person in self.people:  # whoever has two browsers shows it: they share a device
            for user in person.users:
                self._event(person, user, device=True)
            known_as = (self._chance.choice(self._accounts), f"x-{person.device}")
            sync(self.door, self._configured, person, known_as, self._chance.choice(person.users))
        while not self._enough.is_set() and not self.door.failure:
            person = self._chance.choice(self.people)
            if self._chance.random() < 0.9:
                self._event(person, self._chance.choice(person.users), device=False)
            else:
                self._wander(person)
            time.sleep(PAUSE)
        self.door.close()

    def _event(self, person: ChaosPerson, user: UUID, *, device: bool) -> None:
        self._time += 0.05  # no two events of a person have the same time
        amount = self._chance.randrange(200)
        query = {"m": self._configured.customer, "id": self._configured.pixel, "uuid": user, "at": f"{self._time:.3f}"}
        if device:
            query["devid_g"] = person.device
        tries = self.door.until_answered("POST", f"/dp?{urlencode(query)}", json.dumps({"amount": amount}).encode(), {})
        person.amount = amount
        person.counts(tries)

    def _wander(self, person: ChaosPerson) -> None:
        """An id of the sender's own goes to this person, from whomever had it."""
        account = self._chance.choice(self._accounts)
        platform_user_id = f"r-{self._number}-{self._chance.randrange(ROAMING)}"
        for other in self.people:
            other.ids[account].discard(platform_user_id)
        sync(self.door, self._configured, person, (account, platform_user_id), self._chance.choice(person.users))


class BatchSender(threading.Thread):
    """Speaks for some people as a server does: many events in one request to `/dp/batch`."""

    def __init__(
        self, configured: ChaosConfiguration, port: int, people: list[ChaosPerson], chance: random.Random, key: str
    ) -> None:
        super().__init__(name="batches", daemon=True)
        self.people = people
        self.door = EdgeDoor(port)
        self._configured = configured
        self._target = f"/dp/batch?m={configured.customer}&id={configured.pixel}"
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/x-ndjson"}
        self._chance = chance
        self._enough = threading.Event()
        self._time = time.time() - 7_200

    def enough(self) -> None:
        self._enough.set()

    def run(self) -> None:
        self._batch(self.people)
        for person in self.people:
            known_as = (self._chance.choice(list(self._configured.platforms)), f"b-{person.device}")
            sync(self.door, self._configured, person, known_as, person.users[0])
        while not self._enough.is_set() and not self.door.failure:
            self._batch(self._chance.sample(self.people, k=min(len(self.people), LINES)))
            time.sleep(PAUSE_OF_BATCHES)
        self.door.close()

    def _batch(self, people: list[ChaosPerson]) -> None:
        amounts = [self._chance.randrange(200) for _ in people]
        self._time += 0.05
        lines = [
            json.dumps({"uuid": str(person.users[0]), "data": {"amount": amount}, "at": round(self._time, 3)})
            for person, amount in zip(people, amounts, strict=True)
        ]
        tries = self.door.until_answered("POST", self._target, "\n".join(lines).encode(), self._headers)
        for person, amount in zip(people, amounts, strict=True):
            person.amount = amount
            person.counts(tries)
