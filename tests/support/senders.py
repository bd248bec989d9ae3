"""Senders that keep on until each request is answered, and remember what was answered at once."""

import http.client
import json
import random
import threading
import time
from urllib.parse import urlencode
from uuid import UUID

from tests.support.chaos_world import ACCOUNTS, ChaosConfiguration, ChaosPerson

PAUSE = 0.01  # seconds between two requests of one sender: the machine has other work, too
PAUSE_AFTER_SILENCE = 0.05
ROAMING = 4  # ids of each sender that go from person to person


class Sender(threading.Thread):
    """Speaks for some people, one request after another. `failure`: an answer that should never be."""

    def __init__(
        self, number: int, configured: ChaosConfiguration, port: int, people: list[ChaosPerson], chance: random.Random
    ) -> None:
        super().__init__(name=f"sender-{number}", daemon=True)
        self.people = people
        self.requests = self.unanswered = 0
        self.failure = ""
        self._number, self._configured, self._chance = number, configured, chance
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        self._enough = threading.Event()
        self._time = time.time() - 7_200

    def enough(self) -> None:
        self._enough.set()

    def run(self) -> None:
        for person in self.people:  # whoever has two browsers shows it: they share a device
            for user in person.users:
                self._event(person, user, device=True)
            self._sync(person, self._chance.choice(ACCOUNTS), f"x-{person.device}")
        while not self._enough.is_set() and not self.failure:
            person = self._chance.choice(self.people)
            if self._chance.random() < 0.9:
                self._event(person, self._chance.choice(person.users), device=False)
            else:
                self._wander(person)
            time.sleep(PAUSE)
        self._connection.close()

    def _event(self, person: ChaosPerson, user: UUID, *, device: bool) -> None:
        self._time += 0.05  # no two events of a person have the same time
        amount = self._chance.randrange(200)
        query = {"m": self._configured.customer, "id": self._configured.pixel, "uuid": user, "at": f"{self._time:.3f}"}
        if device:
            query["devid_g"] = person.device
        tries = self._until_answered("POST", f"/dp?{urlencode(query)}", json.dumps({"amount": amount}).encode())
        person.amount = amount
        if tries == 1:
            person.answered_at_once += 1
        else:
            person.sent_again += 1
            person.further_tries += tries - 1

    def _wander(self, person: ChaosPerson) -> None:
        """An id of the sender's own goes to this person, from whomever had it."""
        account = self._chance.choice(ACCOUNTS)
        platform_user_id = f"r-{self._number}-{self._chance.randrange(ROAMING)}"
        for other in self.people:
            other.ids[account].discard(platform_user_id)
        self._sync(person, account, platform_user_id)

    def _sync(self, person: ChaosPerson, account: str, platform_user_id: str) -> None:
        query = {
            "pl": self._configured.platforms[account],
            "userid": platform_user_id,
            "plsec": self._configured.secrets[account],
        }
        user = self._chance.choice(person.users)
        self._until_answered("GET", f"/uid?{urlencode(query)}", None, cookie=str(user))
        person.ids[account].add(platform_user_id)

    def _until_answered(self, method: str, target: str, body: bytes | None, cookie: str | None = None) -> int:
        """How often it was sent; no answer, or 503, means: again."""
        tries = 0
        while True:
            tries += 1
            self.requests += 1
            status = self._status(method, target, body, {} if cookie is None else {"Cookie": f"dmpuid={cookie}"})
            if status in {200, 302}:
                return tries
            if status not in {0, 503}:
                self.failure = f"{method} {target}: {status}"
                return tries
            self.unanswered += 1
            time.sleep(PAUSE_AFTER_SILENCE)

    def _status(self, method: str, target: str, body: bytes | None, headers: dict[str, str]) -> int:
        """0 where no answer came. Sends once: what is sent again has to be counted."""
        try:
            self._connection.request(method, target, body, headers)
            answer = self._connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            return 0
        return answer.status
