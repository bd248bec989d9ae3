"""What the sandbox's platforms hold and have received, asked of themselves."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import requests

from local.demo.audiences import AUDIENCES
from local.demo.effects import Change
from local.demo.expectations import Held
from local.demo.platforms import PLATFORMS

PAGE = 20_000


@dataclass(frozen=True, slots=True)
class Arrival:
    """A change that a platform applied, `at` in unix seconds."""

    change: Change
    at: float


class ThirdParties:
    """A reader of one sandbox. `changes` counts what arrived so far, by (account, audience, operation)."""

    def __init__(self, sandbox_url: str) -> None:
        self._url = sandbox_url
        self._session = requests.Session()
        self._session.trust_env = False
        self._since = {platform.account: 0 for platform in PLATFORMS}
        self._titles: dict[int, str] = {}
        self.changes: Counter[tuple[str, str, str]] = Counter()

    def created(self) -> int:
        """How many segments there are."""
        return sum(len(self._segments(platform.account, members=False)) for platform in PLATFORMS)

    def held(self) -> Held:
        """The members of every audience's segment on every platform; none where there is no segment."""
        held: Held = {(platform.account, audience.name): set() for platform in PLATFORMS for audience in AUDIENCES}
        for platform in PLATFORMS:
            for segment in self._segments(platform.account, members=True).values():
                held[platform.account, segment["title"]] = set(segment["members"])
        return held

    def new_arrivals(self) -> list[Arrival]:
        """What arrived since the last call, in each platform's order."""
        found = [arrival for platform in PLATFORMS for arrival in self._arrivals(platform.account)]
        self.changes.update(arrival.change[:3] for arrival in found)
        return found

    def _arrivals(self, account: str) -> list[Arrival]:
        rows = self._get("received", account=account, since=self._since[account], limit=PAGE)
        if rows:
            self._since[account] = rows[-1][0]
        return [
            Arrival(Change(account, self._title(account, segment), operation, userid), at)
            for _, at, operation, segment, userid in rows
        ]

    def _title(self, account: str, segment: int) -> str:
        if segment not in self._titles:
            known = self._segments(account, members=False)
            self._titles |= {int(number): one["title"] for number, one in known.items()}
        return self._titles[segment]

    def _segments(self, account: str, *, members: bool) -> dict[str, dict[str, Any]]:
        state = self._get("state", account=account, members=int(members))
        segments: dict[str, dict[str, Any]] = state["generic"][account]["segments"]
        return segments

    def _get(self, path: str, **asked: object) -> Any:
        wanted = {name: str(value) for name, value in asked.items()}
        response = self._session.get(f"{self._url}/{path}", params=wanted, timeout=30)
        response.raise_for_status()
        return response.json()
