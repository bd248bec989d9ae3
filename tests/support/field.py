"""What a sender meets: the session's edge at the front, an absorber in this process, and the REST API behind.

All of it commits, so a test speaks of browsers of its own. What a module leaves behind is deleted after it.
"""

import json
import uuid
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from django.db import connection

from core import clock
from core.inbox import InboxKind
from core.models import ApiKey
from pipeline.absorb.absorber import Absorber
from profiles.merges import surviving_profile
from profiles.models import Profile
from profiles.state import COOKIE
from tests.support.api_caller import Answer, Caller, caller
from tests.support.edge_client import Reply
from tests.support.edge_process import CUSTOMER, DP, RunningEdge, api_key

MOST_BATCHES = 500
APPEND = "INSERT INTO inbox (bucket, kind, query, body, received_at) VALUES (%s, %s, %s, NULL, %s)"

Result = TypeVar("Result")


def outside(act: Callable[[], Result]) -> Result:
    """Does something outside of the test's transaction, so that others see it."""

    def done() -> Result:
        try:
            return act()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(done).result()


class Field:
    """Requests go to the edge, and the API is called outside of the test's transaction."""

    def __init__(self, edge: RunningEdge) -> None:
        self.edge = edge
        self.api: Caller = outside(lambda: caller(ApiKey.Role.ADMIN))
        self.absorber = Absorber(lambda _: None)

    def browser(self) -> str:
        """Returns a cookie that nobody else has."""
        return str(uuid.uuid4())

    def send(self, cookie: str | None = None, data: dict[str, Any] | None = None, **parameters: object) -> Reply:
        """One request of a browser to `/dp`."""
        given = {**DP, **parameters} | ({} if data is None else {"data": json.dumps(data)})
        return self.edge.client.get("/dp", given, cookie=cookie)

    def send_raw(self, cookie: str, data: str) -> Reply:
        """One request of a browser to `/dp`, with data as it is."""
        return self.edge.client.get("/dp", {**DP, "data": data}, cookie=cookie)

    def send_batch(self, lines: Sequence[dict[str, Any] | str]) -> dict[str, Any]:
        """Sends lines to `/dp/batch`, and returns what it says about them."""
        body = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines).encode()
        headers = {"Authorization": f"Bearer {api_key('marketer')}"}
        target = f"/dp/batch?m={DP['m']}&id={DP['id']}"
        answer: dict[str, Any] = json.loads(self.edge.client.send("POST", target, body, headers).body)
        return answer

    def append(self, bucket: int, kind: InboxKind, query: bytes) -> None:
        """A row of the inbox as it is."""
        self.edge.database.execute(APPEND, [bucket, kind, query, clock.now()])

    def call(self, method: str, address: str) -> Answer:
        """Calls the API, and what it does is committed."""
        return outside(lambda: self.api.call(method, address))

    def change(self, method: str, address: str, body: dict[str, Any]) -> Answer:
        """Calls the API with a body, and what it does is committed."""
        return outside(lambda: self.api.call(method, address, body))

    def listed(self, address: str) -> list[dict[str, Any]]:
        """Returns the first page of a list of the API."""
        answer = outside(lambda: self.api.get(address))
        assert answer.status == 200, answer.body
        rows: list[dict[str, Any]] = answer.body["results"]
        return rows

    def absorb(self) -> None:
        for _ in range(MOST_BATCHES):
            if not self.absorber.absorb():
                return
        raise AssertionError("rows go in circles")

    def story(self, user: str) -> dict[str, Any]:
        """Returns what the API tells of a user: of the one into whom the user was merged."""
        answer = self.api.get(f"users/{user}/?customer={CUSTOMER}")
        assert answer.status == 200, answer.body
        story: dict[str, Any] = answer.body
        return story

    def people(self, cookies: Iterable[str]) -> set[str]:
        """Returns who these browsers are by now."""
        return {str(self._profile(cookie).user_id) for cookie in cookies}

    def ids(self, cookie: str) -> set[tuple[str, str]]:
        """Returns the ids that the user has, the browser's own excepted."""
        return {(kind, value) for kind, value in self._profile(cookie).ids if kind != COOKIE}

    def _profile(self, cookie: str) -> Profile:
        profile = surviving_profile(CUSTOMER, uuid.UUID(cookie))
        assert profile is not None
        return profile
