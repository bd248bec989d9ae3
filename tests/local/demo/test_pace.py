import asyncio
import time

from local.demo.players import PlayClock


def test_reach__a_request__returns_when_it_is_due_and_not_before() -> None:
    pace = PlayClock(rate=100)
    pace.begin()
    began = time.monotonic()

    asyncio.run(pace.reach(10))

    assert time.monotonic() - began >= 0.1


def test_adapt__more_waits_than_a_seconds_worth__time_stands_still_until_less_does() -> None:
    async def play() -> bool:
        pace.adapt(101)
        due = asyncio.create_task(pace.reach(10))
        await asyncio.wait({due}, timeout=0.3)
        reached_while_held = due.done()
        pace.adapt(100)
        await asyncio.wait_for(due, 10)
        return reached_while_held

    pace = PlayClock(rate=100)
    pace.begin()

    assert asyncio.run(play()) is False
    assert pace.held_seconds >= 0.3
