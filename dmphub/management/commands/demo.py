"""`manage.py demo`: real traffic through a whole hub, and what came of it."""

import os
import signal
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console

from core.environment import PROJECT_ROOT
from local.demo.demonstration import DemoOptions, demonstrate
from local.demo.errors import DemonstrationError
from local.embedded import HomeInUseError
from local.supervisor.supervisor import StartFailedError

LOG = PROJECT_ROOT / "build" / "cdnow" / "CDNOW_master.txt"
MISSING_LOG = (
    "in a checkout, `make data` fetches it; elsewhere, unpack lifetimes/datasets/CDNOW_master.txt of the wheel "
    "lifetimes 0.11.3 and name it with --log"
)
RATE = 1500.0
PLAIN_WIDTH = 120


class Command(BaseCommand):
    help = (
        "Start a hub of its own and play a purchase log through it; succeeds where every platform of the sandbox "
        "then holds exactly its audience. On a terminal it keeps serving afterwards."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--log", type=Path, default=LOG, help="the CDNOW log (`make data` fetches it)")
        parser.add_argument("--customers", type=int, help="play only so many customers (default: all)")
        parser.add_argument("--rate", type=float, default=RATE, help="requests a second (default %(default).0f)")
        parser.add_argument(
            "--strict",
            action="store_true",
            help="with the strictest settings (docs/security.md); the variables of .env.strictest are for you to set",
        )

    def handle(self, *, log: Path, customers: int | None, rate: float, strict: bool, **_: Any) -> None:
        if not log.is_file():
            raise CommandError(f"there is no {log}: {MISSING_LOG}")
        if rate <= 0 or (customers is not None and customers < 1):
            raise CommandError("--rate and --customers must be more than 0")
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # stops what was started, as Ctrl-C does
        try:
            verdict = demonstrate(settings.ENVIRONMENT, DemoOptions(log, customers, rate, strict), _console())
        except (DemonstrationError, HomeInUseError, StartFailedError) as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            raise CommandError("stopped", returncode=130) from None
        if not verdict.exact:
            raise CommandError("not exact: " + "; ".join(verdict.faults()))


def _console() -> Console:
    """Live pictures for people only: not for a log, also where a CI runner feigns a terminal."""
    for_people = os.isatty(1) and os.environ.get("CI", "") in {"", "false", "0"}
    if for_people:
        return Console()
    return Console(force_terminal=False, width=PLAIN_WIDTH)
