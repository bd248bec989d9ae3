"""A customer that floods the hub is slowed down at the edge, to what is absorbed; nobody else is."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from django.conf import settings

from core.customer_limits import CustomerLimits
from core.errors import OverQuotaError
from core.flood_sign import PREFIX, SHOWN_MS, FloodSign
from edge import shares as module
from edge.pacing import LEAST_PER_SECOND, Pacer
from edge.shares import LONGEST_TURN, REFUSALS_PER_SECOND, Share, Shares
from tests.support.edge_process import until

FLOOD, SMALL = 1, 2


@pytest.fixture
def sign() -> Iterator[FloodSign]:
    yield FloodSign(settings.REDIS_URL)
    redis.Redis.from_url(settings.REDIS_URL).delete(*(f"{PREFIX}{customer}" for customer in (FLOOD, SMALL)))


class PacedHub:
    """An edge's shares and what sets their paces; `rates`: what each customer sends a second."""

    def __init__(self, sign: FloodSign, monkeypatch: pytest.MonkeyPatch, **processes: int) -> None:
        self._now = 0.0
        monkeypatch.setattr("edge.pacing.monotonic", lambda: self._now)
        self.shares = Shares(CustomerLimits(), **processes)
        self.pacer = Pacer(self.shares, sign)

    def look(self, *, flood: int, small: int = 10) -> float | None:
        """After a tenth of a second at these rates. Returns the pace of who floods."""
        self._now += 0.1
        for customer, rate in ((FLOOD, flood), (SMALL, small)):
            self.shares.of(customer, {}).charge(events=rate // 10)
        self.pacer.look()
        assert self.shares.of(SMALL, {}).pace is None
        return self.shares.of(FLOOD, {}).pace


def test_pace__falls_while_a_flood_is_said__and_rises_until_nobody_waits(
    sign: FloodSign, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = PacedHub(sign, monkeypatch)
    assert hub.look(flood=8_000) is None
    paces = []
    for _ in range(20):
        sign.show({FLOOD, SMALL})  # who sends little is never slowed down
        paces.append(hub.look(flood=8_000) or 0)
    assert paces == sorted(paces, reverse=True)
    assert paces[0] < 8_000
    assert paces[-1] == LEAST_PER_SECOND
    until(lambda: not sign.shown({FLOOD}))
    risen = [pace for _ in range(60) if (pace := hub.look(flood=LEAST_PER_SECOND)) is not None]
    assert risen == sorted(risen)
    assert hub.look(flood=LEAST_PER_SECOND) is None


def test_pace__of_several_edge_processes__is_a_part_in_each(sign: FloodSign, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = PacedHub(sign, monkeypatch, processes=4)
    pace = None
    for _ in range(20):
        sign.show({FLOOD})
        pace = hub.look(flood=2_000)
    assert pace == LEAST_PER_SECOND / 4


def test_sign__shown__is_seen_for_those_who_are_asked_about__until_it_is_not_said_again(sign: FloodSign) -> None:
    assert sign.shown({FLOOD, SMALL}) == set()
    sign.show({FLOOD})
    assert sign.shown({FLOOD, SMALL}) == {FLOOD}
    assert sign.shown({SMALL}) == sign.shown(()) == set()
    assert 0 < redis.Redis.from_url(settings.REDIS_URL).pttl(f"{PREFIX}{FLOOD}") <= SHOWN_MS
    until(lambda: not sign.shown({FLOOD}))


def test_sign__redis_lost__nobody_floods(tmp_path: Path) -> None:
    lost = FloodSign(f"unix://{tmp_path}/nobody.sock")
    lost.show({FLOOD})
    assert lost.shown({FLOOD}) == set()


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time stands still for the shares."""
    monkeypatch.setattr(module, "monotonic", lambda: 1_000.0)


async def _enter(share: Share, times: int) -> tuple[int, int, int]:
    """Returns how many events were let through at once, were refused at once, and wait."""
    tasks = [asyncio.create_task(share.enter(0)) for _ in range(times)]
    await asyncio.wait(tasks, timeout=0)
    done = [task for task in tasks if task.done()]
    refused = sum(isinstance(task.exception(), OverQuotaError) for task in done)
    for task in tasks:
        task.cancel()
    return len(done) - refused, refused, times - len(done)


def test_events_of_a_paced_customer__wait_for_their_turn_up_to_a_second__and_are_refused_beyond(still: None) -> None:
    share = Shares(CustomerLimits()).of(FLOOD, {})
    assert asyncio.run(_enter(share, 50)) == (50, 0, 0)
    share.pace = 20
    assert asyncio.run(_enter(share, 50)) == (1, 29, 20 * LONGEST_TURN)


def test_refusals__of_a_sender_that_repeats_them_at_once__wait(still: None) -> None:
    share = Shares(CustomerLimits(events_per_second=1)).of(FLOOD, {})
    let_through, refused, waiting = asyncio.run(_enter(share, 2 * REFUSALS_PER_SECOND))
    assert let_through <= 3
    assert refused == REFUSALS_PER_SECOND
    assert let_through + refused + waiting == 2 * REFUSALS_PER_SECOND


def test_lines_of_a_batch__of_a_paced_customer__wait_but_not_long(still: None) -> None:
    share = Shares(CustomerLimits()).of(FLOOD, {})

    async def at_once() -> int:
        """How many chunks of a thousand lines need not wait. All have their turn before it returns."""
        tasks = [asyncio.create_task(share.turn_of_lines(1_000)) for _ in range(3)]
        await asyncio.wait(tasks, timeout=0)
        done = sum(task.done() for task in tasks)
        await asyncio.gather(*tasks)
        return done

    assert asyncio.run(at_once()) == 3
    share.pace = 1
    assert asyncio.run(at_once()) <= 1
