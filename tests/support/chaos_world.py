"""What the senders report to the hub, and what the hub must hold once all is quiet."""

import random
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psycopg

from local.demo.api import Api
from tests.support.sandbox_process import SandboxProcess

BIG = 100
ACCOUNTS = ("north", "south")


@dataclass(slots=True)
class ChaosPerson:
    """One person with one or two browsers. Times are the events' own; the latest amount holds."""

    users: list[UUID]
    device: str
    answered_at_once: int = 0
    sent_again: int = 0  # events that got no answer at first …
    further_tries: int = 0  # … and how often they were sent in vain before they got one
    told_at: float = 0.0
    amount: int = 0
    ids: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))  # by account

    @property
    def big(self) -> bool:
        return self.amount > BIG

    def may_count(self, total: int) -> bool:
        """Whether a profile with this many events lost none, and counts none twice that was answered at once."""
        fewest = self.answered_at_once + self.sent_again
        return fewest <= total <= fewest + self.further_tries


@dataclass(frozen=True, slots=True)
class ChaosConfiguration:
    """What is configured: one customer, two platforms, and three audiences sent to them."""

    customer: int
    pixel: int
    platforms: dict[str, int]
    secrets: dict[str, str]


def configure_hub(api: Api, sandbox: SandboxProcess) -> ChaosConfiguration:
    customer = api.post("customers/", name="Chaos")["m"]
    pixel = api.post("pixels/", customer=customer, name="everywhere")["id"]
    api.post("attributes/", customer=customer, path="amount", type="number", enabled=True)
    platforms, secrets = {}, {}
    for account in ACCOUNTS:
        made = api.post("platforms/", customer=customer, name=account, **_platform(sandbox, account))
        platforms[account], secrets[account] = made["pl"], made["sync_secret"]
    big = _audience(api, customer, "big", "attribute.amount", ">", BIG)
    small = _audience(api, customer, "small", "audience", "notIn", big)
    both = _audience(api, customer, "big in the north", "audience", "in", big)
    for audience, account in ((big, "north"), (big, "south"), (small, "north"), (both, "north")):
        api.post("activations/", audience=audience, platform=platforms[account])
    return ChaosConfiguration(customer, pixel, platforms, secrets)


def _platform(sandbox: SandboxProcess, account: str) -> dict[str, Any]:
    row = [{"segment": "{{segment_id}}", "userid": "{{userid}}"}]
    user, password = sandbox.credentials(account)
    url = sandbox.segments_url
    return {
        "connector": "http",
        "settings": {
            "strategy": "micro_batch",
            "batch_size": 50,
            "create": {"method": "POST", "url": url + "?title={{name}}", "segment_id": "segment_id"},
            "add": {"method": "POST", "url": url, "body": row},
            "remove": {"method": "DELETE", "url": url, "body": row},
        },
        "credentials": {"type": "basic", "username": user, "password": password},
    }


def _audience(api: Api, customer: int, name: str, asked: str, operator: str, value: Any) -> int:
    rule = {"combinator": "and", "rules": [{"field": asked, "operator": operator, "value": value}]}
    made = api.post("audiences/", customer=customer, name=name, rule=rule)
    return int(made["id"])


def expected_segments(people: list[ChaosPerson]) -> dict[tuple[str, str], set[str]]:
    """The members of each (account, segment)."""
    big = {account: {x for one in people if one.big for x in one.ids[account]} for account in ACCOUNTS}
    small = {x for one in people if not one.big for x in one.ids["north"]}
    return {
        ("north", "big"): big["north"],
        ("south", "big"): big["south"],
        ("north", "small"): small,
        ("north", "big in the north"): big["north"],
    }


def held_segments(sandbox: SandboxProcess) -> dict[tuple[str, str], set[str]]:
    return {
        (account, segment["title"]): set(segment["members"])
        for account, held in sandbox.state()["generic"].items()
        for segment in held["segments"].values()
    }


def wrong_totals(database_url: str, people: list[ChaosPerson], pixel: int) -> dict[str, str]:
    """By person, what is wrong with the number of events that their profile counts."""
    with psycopg.connect(database_url) as connection:
        rows = connection.execute("SELECT user_id, merged_into, activity FROM profile").fetchall()
    totals: dict[UUID, int] = {user: activity.get(str(pixel), {}).get("total", 0) for user, _, activity in rows}
    survivors = {user for user, merged_into, _ in rows if merged_into is None}
    wrong = {}
    for one in people:
        alive = [user for user in one.users if user in survivors]
        total = sum(totals.get(user, 0) for user in one.users)
        if len(alive) != 1 or not one.may_count(total):
            wrong[one.device] = f"{total} counted in {len(alive)} profiles: {one}"
    return wrong


def people(count: int, chance: random.Random) -> list[ChaosPerson]:
    """Every third has two browsers."""
    return [
        ChaosPerson([UUID(int=chance.getrandbits(128), version=4) for _ in range(1 + (number % 3 == 0))], f"d{number}")
        for number in range(count)
    ]
