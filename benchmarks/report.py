"""Tables on the screen, raw figures in files, and the verdict."""

import json
import os
import platform
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table as Shown

from benchmarks.bounds import Bound, Options, Result
from benchmarks.figures import shown

RESULTS = Path(__file__).parent / "results"
WORDS = {True: "[green]held[/]", False: "[bold red]not held[/]", None: "[yellow]not shown[/]"}
QUICK = "quick run: shows that the benchmarks work, nothing about any bound"

console = Console(width=None if os.isatty(1) else 140)


def show(result: Result) -> None:
    """One benchmark's tables and notes."""
    for table in result.tables:
        drawn = Shown(title=table.title, title_justify="left")
        for number, column in enumerate(table.columns):
            drawn.add_column(column, justify="right" if number else "left")
        for row in table.rows:
            drawn.add_row(*row)
        console.print(drawn)
    for note in result.notes:
        console.print(f"  · {note}", highlight=False)


def save(result: Result, options: Options, folder: Path) -> Path:
    """The raw figures as JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    moment = datetime.now(UTC)
    suffix = ("-quick" if options.quick else "") + ("-profile" if options.profile else "")
    path = folder / f"{moment:%Y-%m-%d}-{result.name}{suffix}.json"
    document = {
        "benchmark": result.name,
        "at": moment.isoformat(timespec="seconds"),
        "quick": options.quick,
        "machine": _machine(),
        "bounds": [_bound(bound, quick=options.quick) for bound in result.bounds],
        "notes": result.notes,
        "figures": result.figures,
    }
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def summarise(results: Sequence[Result], options: Options) -> int:
    """Print the verdict of every bound; answers the exit status: 0 all held, 1 some not, 2 some not shown."""
    bounds = [bound for result in results for bound in result.bounds]
    drawn = Shown(title=QUICK if options.quick else "summary", title_justify="left")
    for column in ("bound", "measured", "limit", "verdict"):
        drawn.add_column(column, justify="left" if column in {"bound", "verdict"} else "right")
    for bound in bounds:
        drawn.add_row(bound.name, _with_unit(bound.measured, bound), _limit(bound), _verdict(bound, options))
    if bounds:
        console.print(drawn)
    if options.quick:
        return 0
    if any(bound.held is False for bound in bounds):
        return 1
    return 2 if any(bound.held is None for bound in bounds) else 0


def _verdict(bound: Bound, options: Options) -> str:
    if options.quick and bound.held is not None:
        return "not judged (quick)"
    return WORDS[bound.held] + (f": {bound.why}" if bound.why else "")


def _limit(bound: Bound) -> str:
    return ("≥ " if bound.sense == "at least" else "≤ ") + _with_unit(bound.limit, bound)


def _with_unit(value: float | None, bound: Bound) -> str:
    return f"{shown(value)} {bound.unit}".strip()


def _bound(bound: Bound, *, quick: bool) -> dict[str, Any]:
    return {
        "name": bound.name,
        "measured": bound.measured,
        "limit": f"{bound.sense} {bound.limit}",
        "unit": bound.unit,
        "held": None if quick else bound.held,
        "why": bound.why,
    }


def _machine() -> dict[str, Any]:
    return {
        "cores": len(os.sched_getaffinity(0)),
        "processor": _processor(),
        "memory_mb": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load_average": os.getloadavg(),
        "sync_ms": _sync_ms(),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _sync_ms() -> float:
    """The median time that the disk of temporary files takes to make 8 KiB durable."""
    times = []
    probe = Path(os.environ["DMPHUB_HOME"]) / "sync-probe"
    with probe.open("wb") as file:
        for _ in range(101):
            began = time.perf_counter()
            file.write(bytes(8192))
            file.flush()
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - began)
    probe.unlink()
    return round(sorted(times)[50] * 1000, 3)
