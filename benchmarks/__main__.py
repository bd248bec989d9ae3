"""`python -m benchmarks [names…] [--quick] [--profile] [--edge-workers N] [--workers N] [--results FOLDER]`.

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
    "lookalikes",
    "strategies",
    "backfill",
    "configuration",
)


def main() -> int:
    arguments = _arguments()
    options = Options(arguments.quick, arguments.profile, arguments.edge_workers, arguments.workers)
    names = [name for name in NAMES if name in (arguments.names or NAMES)]
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
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(NAMES)}; all where none is given")
    parser.add_argument("--quick", action="store_true", help="short runs, to see that the benchmarks work")
    parser.add_argument("--profile", action="store_true", help="absorb, deliver, flow: show where the time goes")
    parser.add_argument("--edge-workers", type=int, default=1, help="edge processes (default 1)")
    parser.add_argument("--workers", type=int, default=1, help="processes that absorb, in flow (default 1)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder of the raw figures")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(NAMES)
    if unknown:
        parser.error(f"no benchmark {', '.join(sorted(unknown))}: there are {', '.join(NAMES)}")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
