"""Following the play from outside: the hub by its API, the platforms by what they say they received."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from local.demo.api import Api
from local.demo.effects import Effects
from local.demo.platforms import PLATFORMS
from local.demo.players import Played
from local.demo.third_parties import Arrival, ThirdParties
from local.demo.visitors import Visitor

LOOK_SECONDS = 0.5
NAMES = {platform.account: platform.name for platform in PLATFORMS}
VERBS = {"add": "entered", "remove": "left"}


@dataclass(frozen=True, slots=True)
class Sight:
    """One look. `sizes` by audience, `pipeline` by stage, `changes` as `ThirdParties`, `events` new ones in words."""

    seconds: float
    played: Played
    sizes: dict[str, int]
    pipeline: dict[str, int]
    changes: Counter[tuple[str, str, str]]
    events: list[str] = field(default_factory=list)

    @property
    def quiet(self) -> bool:
        return not any(self.pipeline.values())


class Watch:
    """`look` as often as wanted; `until_quiet` after the play."""

    def __init__(
        self, api: Api, third_parties: ThirdParties, effects: Effects, visitors: Mapping[str, Visitor], played: Played
    ) -> None:
        self._api = api
        self._third_parties = third_parties
        self._effects = effects
        self._played = played
        self._began = time.monotonic()
        self._customers = {
            platform_id: customer
            for customer, visitor in visitors.items()
            for platform_id in visitor.platform_ids.values()
        }

    async def look(self) -> Sight:
        pipeline, sizes, arrivals = await asyncio.to_thread(self._ask)
        events = [self._event(arrival) for arrival in arrivals]
        seconds = time.monotonic() - self._began
        return Sight(seconds, self._played, sizes, pipeline, self._third_parties.changes.copy(), events)

    def _ask(self) -> tuple[dict[str, int], dict[str, int], list[Arrival]]:
        pipeline: dict[str, int] = self._api.get("pipeline/")
        sizes = {audience["name"]: audience["size"] for audience in self._api.get("audiences/")["results"]}
        return pipeline, sizes, self._third_parties.new_arrivals()

    def _event(self, arrival: Arrival) -> str:
        """In words, and timed on the way."""
        account, audience, operation, platform_id = arrival.change
        customer = self._customers.get(platform_id, "unknown")
        took = self._effects.arrived(arrival.change, arrival.at)
        after = "" if took is None else f" after {took * 1000:.0f} ms"
        return f"customer {customer} {VERBS[operation]} “{audience}” at {NAMES[account]}{after}"
