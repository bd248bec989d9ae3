"""`manage.py up`: the whole hub in the foreground."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from local.embedded import HomeInUseError
from local.supervisor.hub import HubOptions, run_hub
from local.supervisor.programs import PortTakenError
from local.supervisor.supervisor import StartFailedError


class Command(BaseCommand):
    help = "Start everything: embedded services where no URL is set, edge, console, workers, sweeper."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=8000, help="of the console and the API; 0: a free one")
        parser.add_argument("--edge-port", type=int, default=8001, help="of the edge; 0: a free one")
        parser.add_argument("--edge-workers", type=int, default=1, help="edge processes (default 1)")
        parser.add_argument("--workers", type=int, default=1, help="processes that absorb (default 1)")

    def handle(self, *_args: object, **options: Any) -> None:
        wanted = HubOptions(options["port"], options["edge_port"], options["edge_workers"], options["workers"])
        try:
            run_hub(settings.ENVIRONMENT, wanted, self._announce)
        except (HomeInUseError, PortTakenError, StartFailedError) as error:
            raise CommandError(str(error)) from error

    def _announce(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
