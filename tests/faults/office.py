"""Who works with the hub while its processes are killed: edits a rule, uploads files of profiles, looks at it."""

import random
import threading
import time
from contextlib import suppress
from typing import Any
from uuid import UUID

import psycopg
import requests

from local.demo.api import Api
from tests.support.chaos_world import BIG, ChaosConfiguration
from tests.support.hub import Hub

EDIT_SECONDS = 12.0
UPLOAD_SECONDS = 90.0
ROWS = 1_500
TIMEOUT = 10.0
STORED = "SELECT user_id, attributes ->> 'amount' FROM profile WHERE user_id = ANY(%s)"


class Office(threading.Thread):
    """Repeats each call until the console answers it. `failure`: an answer that should never be."""

    def __init__(self, hub: Hub, key: str, configured: ChaosConfiguration, chance: random.Random) -> None:
        super().__init__(name="office", daemon=True)
        self.failure = ""
        self._base = f"http://127.0.0.1:{hub.port}/api/v1/"
        self._edge = f"http://127.0.0.1:{hub.edge_port}"
        self._headers = {"Authorization": f"Bearer {key}"}
        self._configured, self._chance = configured, chance
        self._enough = threading.Event()
        self._rows: dict[UUID, int] = {}
        self._edits = self._uploads = 0

    def enough(self) -> None:
        self._enough.set()

    def told(self) -> str:
        return f"{self._edits} edits of a rule, {self._uploads} files with {len(self._rows):,} rows"

    def run(self) -> None:
        upload_at = time.monotonic()
        while not self._enough.wait(EDIT_SECONDS):
            self._edit(self._chance.randrange(50, 150))
            if time.monotonic() >= upload_at:
                self._upload()
                upload_at = time.monotonic() + UPLOAD_SECONDS
        self._edit(BIG)

    def edge_knows_the_configuration(self) -> bool:
        accounts = self._configured.platforms.items()
        asked: list[dict[str, Any]] = [
            {"pl": pl, "userid": "0", "plsec": self._configured.secrets[account]} for account, pl in accounts
        ]
        answers = [requests.get(f"{self._edge}/uid", query, timeout=5) for query in asked]
        return all(answer.headers["X-DMP-Status"] == "no-id" for answer in answers)

    def is_quiet(self, api: Api) -> bool:
        """Nothing to do and no file to read, and still nothing a moment later."""
        for _ in range(3):
            with suppress(requests.RequestException):
                waiting = [one for one in api.get("imports/")["results"] if one["status"] in {"waiting", "running"}]
                if waiting or any(api.get("pipeline/").values()):
                    return False
                time.sleep(0.2)
        return True

    def imported(self) -> set[tuple[UUID, str]]:
        return {(user, str(amount)) for user, amount in self._rows.items()}

    def imported_members(self) -> set[UUID]:
        return {user for user, amount in self._rows.items() if amount > BIG}

    def stored(self, connection: psycopg.Connection[Any]) -> set[tuple[UUID, str]]:
        return {(user, amount) for user, amount in connection.execute(STORED, [list(self._rows)])}

    def _edit(self, limit: int) -> None:
        rule = {"combinator": "and", "rules": [{"field": "attribute.amount", "operator": ">", "value": limit}]}
        self._until_done("PATCH", f"audiences/{self._configured.audiences['big']}/", json={"rule": rule})
        self._edits += 1

    def _upload(self) -> None:
        rows = {UUID(int=self._chance.getrandbits(128), version=4): self._chance.randrange(200) for _ in range(ROWS)}
        text = "uuid,amount\n" + "".join(f"{user},{amount}\n" for user, amount in rows.items())
        where = f"imports/?pixel={self._configured.pixel}&name=people.csv"
        self._until_done("POST", where, data=text.encode())
        self._rows |= rows
        self._uploads += 1

    def _until_done(self, method: str, path: str, **body: Any) -> None:
        while not self.failure:
            status, text = self._status(method, path, body)
            if status < 300 and status:
                return
            if 400 <= status < 500 and status not in {409, 429}:
                self.failure = f"{method} {path}: {status} {text[:300]}"
            time.sleep(0.3)

    def _status(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, str]:
        """0 where no answer came."""
        headers = self._headers | ({"Content-Type": "text/csv"} if "data" in body else {})
        try:
            answer = requests.request(method, self._base + path, headers=headers, timeout=TIMEOUT, **body)
        except requests.RequestException:
            return 0, ""
        return answer.status_code, answer.text
