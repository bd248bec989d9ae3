"""The tables at the end."""

from collections import Counter

from rich.console import Console
from rich.table import Table

from local.demo.audiences import AUDIENCES
from local.demo.latency import LatencyTracker
from local.demo.platforms import PLATFORMS
from local.demo.players import PlayProgress
from local.demo.verdict import Expected, Verdict

MEASURED = (
    "Latency: from the sender having its answer (so it was committed) to the platform applying the change, "
    "for changes that one request of the play caused."
)


def report(
    console: Console,
    played: PlayProgress,
    sizes: dict[str, int],
    expected: Expected,
    changes: Counter[tuple[str, str, str]],
    verdict: Verdict,
    effects: LatencyTracker,
) -> None:
    rate = played.sent / played.seconds if played.seconds else 0.0
    accepted = f"Accepted: {played.sent:,} requests in {played.seconds:.0f} s, {rate:,.0f} a second"
    if played.held_seconds >= 1:
        accepted += f", held back for {played.held_seconds:.0f} s so as not to outrun the hub"
    for title, table in (
        (accepted, _accepted(played)),
        ("Audiences", _audiences(sizes, expected)),
        ("Received by the platforms", _received(changes, verdict)),
        ("Accepted → received", _latency(effects)),
    ):
        console.print(f"\n{title}", style="bold", highlight=False)
        console.print(table)
    console.print(MEASURED, style="dim", highlight=False, soft_wrap=True)


def _accepted(played: PlayProgress) -> Table:
    table = _table("what", "status", right=["requests"])
    for (kind, name), number in sorted(played.answers.items()):
        table.add_row(kind, name, f"{number:,}")
    table.add_row("sent again", "after 503", f"{played.repeats.refused:,}")
    table.add_row("sent again", "after no answer", f"{played.repeats.unanswered:,}")
    return table


def _audiences(sizes: dict[str, int], expected: Expected) -> Table:
    table = _table("audience", "who", right=["members", "expected from the log"])
    for audience in AUDIENCES:
        table.add_row(
            audience.name,
            audience.meaning,
            f"{sizes.get(audience.name, 0):,}",
            f"{expected.sizes[audience.name]:,}",
        )
    return table


def _received(changes: Counter[tuple[str, str, str]], verdict: Verdict) -> Table:
    table = _table("platform", "audience", right=["adds", "removes", "members", "expected from the log", ""])
    for line in verdict.lines:
        adds, removes = (changes[line.account, line.audience, operation] for operation in ("add", "remove"))
        mark = "[green]exact" if line.exact else f"[red]−{len(line.missing)} +{len(line.extra)}"
        numbers = (f"{number:,}" for number in (adds, removes, line.members, line.expected))
        table.add_row(line.platform, line.audience, *numbers, mark)
    return table


def _latency(effects: LatencyTracker) -> Table:
    table = _table("platform", right=["changes timed", "p50", "p99"])
    for platform in PLATFORMS:
        found = effects.percentiles(platform.account)
        if found is not None:
            table.add_row(
                platform.name, f"{found.count:,}", f"{found.p50 * 1000:,.0f} ms", f"{found.p99 * 1000:,.0f} ms"
            )
    return table


def _table(*left: str, right: list[str]) -> Table:
    table = Table()
    for heading in left:
        table.add_column(heading)
    for heading in right:
        table.add_column(heading, justify="right")
    return table
