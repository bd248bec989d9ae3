"""Following the play from outside: the hub by its API, the platforms by what the sandbox says they received."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import requests

from local.demo.api import Api
from local.demo.latency import LatencyTracker, SegmentChange
from local.demo.platforms import PLATFORMS, Visitor
from local.demo.players import PlayProgress
from local.demo.verdict import SegmentMembers, no_members

PAGE = 20_000


@dataclass(frozen=True, slots=True)
class AppliedChange:
    """A change that a platform applied, `at` in unix seconds."""

    change: SegmentChange
    at: float


class SandboxReader:
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

    def held(self) -> SegmentMembers:
        """The members of every audience's segment on every platform; none where there is no segment."""
        held = no_members()
        for platform in PLATFORMS:
            for segment in self._segments(platform.account, members=True).values():
                held[platform.account, segment["title"]] = set(segment["members"])
        return held

    def new_arrivals(self) -> list[AppliedChange]:
        """What arrived since the last call, in each platform's order."""
        found = [arrival for platform in PLATFORMS for arrival in self._arrivals(platform.account)]
        self.changes.update(arrival.change[:3] for arrival in found)
        return found

    def _arrivals(self, account: str) -> list[AppliedChange]:
        rows = self._get("received", account=account, since=self._since[account], limit=PAGE)
        if rows:
            self._since[account] = rows[-1][0]
        return [
            AppliedChange(SegmentChange(account, self._title(account, segment), operation, userid), at)
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


LOOK_SECONDS = 0.5
NAMES = {platform.account: platform.name for platform in PLATFORMS}
VERBS = {"add": "entered", "remove": "left"}


@dataclass(frozen=True, slots=True)
class Observation:
    """One look. `sizes` by audience, `pipeline` by stage, `changes` as `SandboxReader`, `events` new ones in words."""

    seconds: float
    played: PlayProgress
    sizes: dict[str, int]
    pipeline: dict[str, int]
    changes: Counter[tuple[str, str, str]]
    events: list[str] = field(default_factory=list)

    @property
    def quiet(self) -> bool:
        return not any(self.pipeline.values())


class Observer:
    """`look` as often as wanted; `until_quiet` after the play."""

    def __init__(
        self,
        api: Api,
        sandbox: SandboxReader,
        latencies: LatencyTracker,
        visitors: Mapping[str, Visitor],
        played: PlayProgress,
    ) -> None:
        self._api = api
        self._sandbox = sandbox
        self._latencies = latencies
        self._played = played
        self._began = time.monotonic()
        self._customers = {
            platform_id: customer
            for customer, visitor in visitors.items()
            for platform_id in visitor.platform_ids.values()
        }

    async def look(self) -> Observation:
        pipeline, sizes, arrivals = await asyncio.to_thread(self._ask)
        events = [self._event(arrival) for arrival in arrivals]
        seconds = time.monotonic() - self._began
        return Observation(seconds, self._played, sizes, pipeline, self._sandbox.changes.copy(), events)

    def _ask(self) -> tuple[dict[str, int], dict[str, int], list[AppliedChange]]:
        pipeline: dict[str, int] = self._api.get("pipeline/")
        sizes = {audience["name"]: audience["size"] for audience in self._api.get("audiences/")["results"]}
        return pipeline, sizes, self._sandbox.new_arrivals()

    def _event(self, arrival: AppliedChange) -> str:
        """In words, and timed on the way."""
        account, audience, operation, platform_id = arrival.change
        customer = self._customers.get(platform_id, "unknown")
        took = self._latencies.arrived(arrival.change, arrival.at)
        after = "" if took is None else f" after {took * 1000:.0f} ms"
        return f"customer {customer} {VERBS[operation]} “{audience}” at {NAMES[account]}{after}"
