"""What the senders report to the hub, and what the hub must hold once all is quiet."""

import random
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
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

    def counts(self, tries: int) -> None:
        """Remember one event that was answered after so many tries."""
        if tries == 1:
            self.answered_at_once += 1
        else:
            self.sent_again += 1
            self.further_tries += tries - 1

    def may_count(self, total: int) -> bool:
        """Whether a profile with this many events lost none, and counts none twice that was answered at once."""
        fewest = self.answered_at_once + self.sent_again
        return fewest <= total <= fewest + self.further_tries


@dataclass(frozen=True, slots=True)
class ChaosConfiguration:
    """What is configured: one customer, its platforms (by account), and three audiences sent to them."""

    customer: int
    pixel: int
    platforms: dict[str, int]
    secrets: dict[str, str]
    audiences: dict[str, int]
    activations: list[int]


def configure_hub(
    api: Api, sandbox: SandboxProcess, others: Mapping[str, dict[str, Any]] = MappingProxyType({})
) -> ChaosConfiguration:
    """`others`: platforms by account beside, or in place of, the two that take micro-batches; each gets `big`."""
    customer = api.post("customers/", name="Chaos")["m"]
    pixel = api.post("pixels/", customer=customer, name="everywhere")["id"]
    api.post("attributes/", customer=customer, path="amount", type="number", enabled=True)
    platforms, secrets = {}, {}
    described = {account: micro_batches(sandbox, account) for account in ACCOUNTS} | dict(others)
    for account, platform in described.items():
        made = api.post("platforms/", customer=customer, name=account, **platform)
        platforms[account], secrets[account] = made["pl"], made["sync_secret"]
    big = _audience(api, customer, "big", "attribute.amount", ">", BIG)
    small = _audience(api, customer, "small", "audience", "notIn", big)
    both = _audience(api, customer, "big in the north", "audience", "in", big)
    wanted = [(small, "north"), (both, "north"), *((big, account) for account in platforms)]
    activations = [api.post("activations/", audience=one, platform=platforms[account])["id"] for one, account in wanted]
    audiences = {"big": big, "small": small, "big in the north": both}
    return ChaosConfiguration(customer, pixel, platforms, secrets, audiences, activations)


def micro_batches(sandbox: SandboxProcess, account: str) -> dict[str, Any]:
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


def one_by_one(sandbox: SandboxProcess, account: str) -> dict[str, Any]:
    """A platform with a request for each member."""
    described = micro_batches(sandbox, account)
    url = sandbox.segments_url + "?id={{segment_id}}&userid={{userid}}"
    calls = {"add": {"method": "POST", "url": url}, "remove": {"method": "DELETE", "url": url}}
    return described | {"settings": {"strategy": "no_batch", "create": described["settings"]["create"]} | calls}


def _audience(api: Api, customer: int, name: str, asked: str, operator: str, value: Any) -> int:
    rule = {"combinator": "and", "rules": [{"field": asked, "operator": operator, "value": value}]}
    made = api.post("audiences/", customer=customer, name=name, rule=rule)
    return int(made["id"])


def expected_segments(people: list[ChaosPerson], accounts: Iterable[str] = ACCOUNTS) -> dict[tuple[str, str], set[str]]:
    """The members of each (account, segment)."""
    big = {account: {x for one in people if one.big for x in one.ids[account]} for account in accounts}
    small = {x for one in people if not one.big for x in one.ids["north"]}
    others = {("north", "small"): small, ("north", "big in the north"): big["north"]}
    return others | {(account, "big"): members for account, members in big.items()}


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


def people(count: int, chance: random.Random, first_letter: str = "d") -> list[ChaosPerson]:
    """Every third has two browsers. Their devices begin with `first_letter`."""
    browsers = [[UUID(int=chance.getrandbits(128), version=4) for _ in range(1 + (n % 3 == 0))] for n in range(count)]
    return [ChaosPerson(users, f"{first_letter}{number}") for number, users in enumerate(browsers)]
