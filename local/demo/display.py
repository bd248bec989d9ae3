"""What is shown while it happens: a live picture on a terminal, a line every few seconds elsewhere."""

import time
from collections import deque
from typing import Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from local.demo.audiences import AUDIENCES
from local.demo.observer import Observation
from local.demo.platforms import PLATFORMS

LINE_SECONDS = 4.0
SHOWN_EVENTS = 8


class Display(Protocol):
    """Shows each look at the play."""

    def show(self, sight: Observation) -> None: ...

    def close(self) -> None: ...


def display_on(console: Console, steps: int) -> Display:
    return LiveDisplay(console, steps) if console.is_terminal else LineDisplay(console)


class LineDisplay:
    """For logs."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._due = 0.0
        self._unshown: Observation | None = None

    def show(self, sight: Observation) -> None:
        self._unshown = sight
        if time.monotonic() >= self._due:
            self._print(sight)

    def close(self) -> None:
        """The last picture is never left out."""
        if self._unshown is not None:
            self._print(self._unshown)

    def _print(self, sight: Observation) -> None:
        self._unshown = None
        self._due = time.monotonic() + LINE_SECONDS
        self._say(
            f"{sight.seconds:4.0f} s  {sight.played.sent:,} of {sight.played.steps:,} accepted; {_waiting(sight)}"
        )
        self._say(f"        members: {', '.join(f'{a.name} {sight.sizes.get(a.name, 0):,}' for a in AUDIENCES)}")
        received = (f"{platform.name} {_received(sight, platform.account)}" for platform in PLATFORMS)
        self._say(f"        received: {', '.join(received)}")
        if sight.events:
            self._say(f"        {sight.events[-1]}")

    def _say(self, line: str) -> None:
        self._console.print(line, soft_wrap=True, markup=False, highlight=False)


class LiveDisplay:
    """For terminals."""

    def __init__(self, console: Console, steps: int) -> None:
        self._progress = Progress(
            TextColumn("[bold]accepted"), BarColumn(bar_width=None), MofNCompleteColumn(), TimeElapsedColumn()
        )
        self._task = self._progress.add_task("accepted", total=steps)
        self._events: deque[str] = deque(maxlen=SHOWN_EVENTS)
        self._live = Live(self._progress, console=console, refresh_per_second=8)
        self._live.start()

    def show(self, sight: Observation) -> None:
        self._progress.update(self._task, completed=sight.played.sent)
        self._events.extend(sight.events[-SHOWN_EVENTS:])
        waiting = Text(f"in the hub: {_waiting(sight)}", style="dim")
        events = Text("\n".join(self._events), style="dim")
        self._live.update(Group(self._progress, _picture(sight), waiting, events))

    def close(self) -> None:
        self._live.stop()


def _picture(sight: Observation) -> Table:
    table = Table(box=None, padding=(0, 2))
    table.add_column("audience")
    table.add_column("members", justify="right")
    for platform in PLATFORMS:
        table.add_column(platform.name, justify="right")
    for audience in AUDIENCES:
        received = (_received(sight, platform.account, audience.name) for platform in PLATFORMS)
        table.add_row(audience.name, f"{sight.sizes.get(audience.name, 0):,}", *received)
    return table


def _received(sight: Observation, account: str, audience: str | None = None) -> str:
    counted = {"add": 0, "remove": 0}
    for (told, about, operation), number in sight.changes.items():
        if told == account and audience in {None, about}:
            counted[operation] += number
    return f"+{counted['add']:,} −{counted['remove']:,}"


def _waiting(sight: Observation) -> str:
    stages = ((name.replace("_", " "), number) for name, number in sight.pipeline.items() if number)
    return ", ".join(f"{name} {number:,}" for name, number in stages) or "quiet"
