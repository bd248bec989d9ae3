"""`python -m benchmarks [names…] [--quick] [--profile] [--edge-workers N] [--workers N] [--results FOLDER]`.

`soak [--minutes M]` and `rechecks [--rows N]` take long and run only where they are named.

Exit status: 0 where every bound was held, 1 where one was not, 2 where one could not be shown.
"""

import argparse
import importlib
import sys
from pathlib import Path

from benchmarks.bounds import Options, Result
from benchmarks.home import throw_away_home
from benchmarks.report import QUICK, RESULTS, console, save, show, summarise

NAMES = (
    "edge",
    "absorb",
    "deliver",
    "mappings",
    "imports",
    "audiences",
    "flow",
    "burst",
    "fairness",
    "lookalikes",
    "strategies",
    "backfill",
    "configuration",
    "pages",
)
# they take long, so they run only where they are named
LONG = ("soak", "rechecks")
ALL = f"of {', '.join(NAMES)}, which all run where none is given, and {', '.join(LONG)}"


def main() -> int:
    arguments = _arguments()
    options = Options(
        quick=arguments.quick,
        profile=arguments.profile,
        edge_workers=arguments.edge_workers,
        workers=arguments.workers,
        minutes=arguments.minutes,
        rows=arguments.rows,
    )
    names = [name for name in (*NAMES, *LONG) if name in (arguments.names or NAMES)]
    if options.quick:
        console.print(f"[yellow]{QUICK}[/]")
    with throw_away_home():
        import django

        django.setup()
        results = [_one(name, options, arguments.results) for name in names]
    return summarise(results, options)


def _one(name: str, options: Options, folder: Path) -> Result:
    console.rule(name)
    result: Result = importlib.import_module(f"benchmarks.{name}").run(options)
    show(result)
    path = save(result, options, folder)
    console.print(f"  raw figures: {path.name}", highlight=False)
    return result


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="What the hub achieves on this machine.")
    parser.add_argument("names", nargs="*", metavar="name", help=ALL)
    parser.add_argument("--quick", action="store_true", help="short runs, to see that the benchmarks work")
    parser.add_argument("--profile", action="store_true", help="absorb, deliver, flow: show where the time goes")
    parser.add_argument("--edge-workers", type=int, default=1, help="edge processes (default 1)")
    parser.add_argument("--workers", type=int, default=1, help="processes that absorb, in flow (default 1)")
    parser.add_argument("--minutes", type=float, default=15.0, help="soak: how long; all of it is scaled (default 15)")
    parser.add_argument("--rows", type=int, default=1_000_000, help="rechecks: how many fall due (default 1,000,000)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder of the raw figures")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - {*NAMES, *LONG}
    if unknown:
        parser.error(f"no benchmark {', '.join(sorted(unknown))}: there are {', '.join((*NAMES, *LONG))}")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
