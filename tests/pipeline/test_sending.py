"""User sync to the end: what the platform holds once all is quiet."""

import random
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest

from activation.services import activate
from audiences.services import create_audience
from integrations.models import Platform
from tests.support.edge_process import until
from tests.support.sandbox_process import SandboxProcess
from tests.support.settling import running, sandbox_platform, settle
from tests.support.shop import Shop, now_ms, rule, somebody

SEED = 7
MOVES = 1_500


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxProcess]:
    with SandboxProcess() as process:
        yield process


@pytest.fixture(autouse=True)
def _into_the_sandbox(settings: Any, sandbox: SandboxProcess) -> Iterator[None]:
    settings.ALLOW_PRIVATE_TARGETS = True
    yield
    sandbox.reset()


@pytest.fixture
def north(shop: Shop, sandbox: SandboxProcess) -> Platform:
    """A platform to which those are sent who spend more than 100."""
    shop.attribute("amount", "number")
    platform = sandbox_platform(shop, sandbox, "north")
    activate(create_audience(shop.customer, "big", rule("attribute.amount", ">", 100)), platform, {})
    return platform


def test_mapping__of_a_member__is_delivered_at_once(shop: Shop, sandbox: SandboxProcess, north: Platform) -> None:
    member, stranger = somebody(), somebody()
    shop.event(member, {"amount": 150})
    shop.event(stranger, {"amount": 50})
    with running([north]):
        settle()
        assert sandbox.members("north", "big") == set()

        shop.sync(member, north, "m")
        shop.sync(stranger, north, "s")
        until(lambda: sandbox.members("north", "big") == {"m"})
        settle()

    assert sandbox.members("north", "big") == {"m"}


def test_every_id_of_a_user__is_delivered_and_taken_back(shop: Shop, sandbox: SandboxProcess, north: Platform) -> None:
    """One person with several browsers."""
    user = somebody()
    browsers = {f"browser-{number}" for number in range(4)}
    at = now_ms()
    shop.event(user, {"amount": 150}, at=at)
    with running([north]):
        for platform_user_id in sorted(browsers):
            shop.sync(user, north, platform_user_id)
        settle()
        assert sandbox.members("north", "big") == browsers

        shop.sync(somebody(), north, "browser-0")
        settle()
        assert sandbox.members("north", "big") == browsers - {"browser-0"}

        shop.event(user, {"amount": 50}, at=at + 1)
        settle()
        assert sandbox.members("north", "big") == set()


def test_match__whose_time_is_over__is_taken_back(shop: Shop, sandbox: SandboxProcess, north: Platform) -> None:
    user = somebody()
    shop.event(user, {"amount": 150})
    with running([north]):
        shop.sync(user, north, "brief", ttl_days=1)
        shop.sync(user, north, "for ever")
        settle()
        assert sandbox.members("north", "big") == {"brief", "for ever"}

        shop.let_pass(days=2)
        settle()

    assert sandbox.members("north", "big") == {"for ever"}


def test_ids_that_change_hands__while_all_lanes_are_busy__end_in_their_last_owners_audiences_only(
    shop: Shop, sandbox: SandboxProcess, north: Platform
) -> None:
    south = sandbox_platform(shop, sandbox, "south")
    small = create_audience(shop.customer, "small", rule("attribute.amount", "<=", 100))
    activate(small, north, {})
    activate(small, south, {})
    chance = random.Random(SEED)
    users = [somebody() for _ in range(12)]
    amounts: dict[UUID, int] = {}
    owners: dict[tuple[int, str], UUID] = {}
    at = now_ms()

    with running([north, south], absorbers=3):
        for move in range(MOVES):
            user = chance.choice(users)
            if move % 10 == 0:
                amounts[user] = chance.choice([50, 150])
                shop.event(user, {"amount": amounts[user]}, at=at + move)
            else:
                platform, platform_user_id = chance.choice([north, south]), f"id-{chance.randrange(25)}"
                shop.sync(user, platform, platform_user_id)
                owners[platform.pl, platform_user_id] = user
        settle()

    def expected(platform: Platform, *, big: bool) -> set[str]:
        return {
            platform_user_id
            for (pl, platform_user_id), user in owners.items()
            if pl == platform.pl and user in amounts and (amounts[user] > 100) == big
        }

    assert sandbox.members("north", "big") == expected(north, big=True)
    assert sandbox.members("north", "small") == expected(north, big=False)
    assert sandbox.members("south", "small") == expected(south, big=False)
    assert len(sandbox.received("north")) > 100  # the lanes were busy
    assert shop.bad_rows() == []
