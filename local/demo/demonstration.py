"""From nothing to the tables at the end, in the order in which it happens."""

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import uvloop
from rich.console import Console

from core import clock
from core.environment import Environment
from local.demo.api import Api
from local.demo.configuration import configure, wait_for_edge, wait_for_segments
from local.demo.demo_hub import DemoHub, running_demo_hub
from local.demo.display import Display, display_on
from local.demo.latency import LatencyTracker
from local.demo.observer import LOOK_SECONDS, Observation, Observer, SandboxReader
from local.demo.platforms import Visitor, visitors_among
from local.demo.players import PlayClock, PlayProgress, play
from local.demo.purchases import Purchase, moved_to, read_log
from local.demo.report import report
from local.demo.script import Step, steps_of
from local.demo.verdict import Verdict, expected_at, histories_of, verdict

STALL_SECONDS = 30.0  # without any change, the hub is not going to become quiet
LONGEST_SECONDS = 300.0  # nor after this
SETTLING_SECONDS = 10.0  # a window may end just while the platforms are being asked


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """`customers`: only so many of the log's, None: all. `rate`: requests a second.

    `strict`: with the strictest settings of `docs/security.md`.
    """

    log: Path
    customers: int | None
    rate: float
    strict: bool = False


def demonstrate(environment: Environment, options: DemoOptions, console: Console) -> Verdict:
    """Run everything once, in the environment's home below `demo`; on a terminal, then serve until Ctrl-C."""
    home = environment.home / "demo"
    home.mkdir(exist_ok=True)
    own = replace(environment, home=home, database_url=None, redis_url=None)
    began = time.monotonic()
    console.print("Starting a hub of its own: PostgreSQL, Redis, edge, console, workers; and a sandbox …")
    with running_demo_hub(own, strict=options.strict) as hub:
        _print(
            console,
            f"Ready after {time.monotonic() - began:.1f} s: console={hub.console_url} "
            f"edge={hub.edge_url} sandbox={hub.sandbox_url}",
        )
        found = Demonstration(hub, options, console).run()
        _print(console, f"The whole demonstration took {time.monotonic() - began:.0f} s.")
        if console.is_terminal:
            _serve(hub, console)
    return found


class Demonstration:
    """One play in a running hub."""

    def __init__(self, hub: DemoHub, options: DemoOptions, console: Console) -> None:
        self._hub = hub
        self._console = console
        self._rate, self._strict = options.rate, options.strict
        self._purchases: list[Purchase] = moved_to(read_log(options.log, options.customers), clock.now())
        self._visitors: dict[str, Visitor] = visitors_among(self._purchases)
        self._sandbox = SandboxReader(hub.sandbox_url)
        self._latencies = LatencyTracker(self._visitors)

    def run(self) -> Verdict:
        api = Api(self._hub.console_url, self._hub.api_key())
        configuration = configure(api, self._hub.sandbox_url, strict=self._strict)
        wait_for_edge(self._hub.edge_url, configuration)
        wait_for_segments(self._sandbox.created)
        _print(
            self._console,
            "Configured by the REST API: 1 pixel, 3 audiences, each activated on 2 platforms, "
            "where their segments were created.",
        )
        steps = steps_of(self._purchases, self._visitors, configuration)
        self._announce_play(steps)
        played = PlayProgress(len(steps))
        watch = Observer(api, self._sandbox, self._latencies, self._visitors, played)
        display = display_on(self._console, len(steps))
        try:
            uvloop.run(self._play(steps, played, watch, display))
        finally:
            display.close()
        return self._judge(watch, played)

    def _announce_play(self, steps: list[Step]) -> None:
        first, last = (datetime.fromtimestamp(self._purchases[place].at, UTC).date() for place in (0, -1))
        customers = len({purchase.customer for purchase in self._purchases})
        purchases = f"{len(self._purchases):,} purchases of {customers:,} customers, {first} to {last}"
        _print(
            self._console,
            f"Playing {purchases}; {len(self._visitors):,} of them visit the website: "
            f"{len(steps):,} requests, up to {self._rate:,.0f} a second.",
        )

    async def _play(self, steps: list[Step], played: PlayProgress, watch: Observer, display: Display) -> None:
        """Play, then wait until all is quiet or nothing moves any more."""
        pace = PlayClock(self._rate)
        playing = asyncio.create_task(play(steps, self._hub.edge_port, pace, self._latencies, played))
        while not playing.done():
            sight = await watch.look()
            pace.adapt(sight.pipeline["inbox"])
            display.show(sight)
            await asyncio.wait({playing}, timeout=LOOK_SECONDS)
        playing.result()
        await _until_quiet(watch, display)

    def _judge(self, watch: Observer, played: PlayProgress) -> Verdict:
        histories = histories_of(self._purchases)
        give_up_at = time.monotonic() + SETTLING_SECONDS
        while True:
            expected = expected_at(histories, self._visitors, time.time())
            held, sight = self._sandbox.held(), uvloop.run(watch.look())
            found = verdict(expected, held, sight.sizes)
            if found.exact or time.monotonic() > give_up_at:
                break
            time.sleep(LOOK_SECONDS)
        report(self._console, played, sight.sizes, expected, sight.changes, found, self._latencies)
        return found


async def _until_quiet(watch: Observer, display: Display) -> None:
    began = changed_at = time.monotonic()
    seen = None
    while time.monotonic() < min(changed_at + STALL_SECONDS, began + LONGEST_SECONDS):
        sight: Observation = await watch.look()
        display.show(sight)
        if sight.quiet:
            return
        if (now_seen := (sight.pipeline, sight.changes)) != seen:
            seen, changed_at = now_seen, time.monotonic()
        await asyncio.sleep(LOOK_SECONDS)


def _serve(hub: DemoHub, console: Console) -> None:
    _print(console, f"\nConsole: {hub.console_url}  (log in as admin, password {hub.password()})")
    _print(console, f"API:     {hub.console_url}/api/v1/docs/")
    _print(console, f"Sandbox: {hub.sandbox_url}/")
    _print(console, "Everything keeps running until Ctrl-C.")
    with suppress(KeyboardInterrupt):
        hub.supervisor.run()


def _print(console: Console, line: str) -> None:
    console.print(line, soft_wrap=True, markup=False, highlight=False)
