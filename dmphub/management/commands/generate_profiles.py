"""`manage.py generate_profiles --customer M --count N [--seed S] [--day YYYY-MM-DD]`"""

from datetime import date, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from core import clock
from local.synthetic.generation import generate
from local.synthetic.seed_customer import UnsuitableCustomerError


class Command(BaseCommand):
    help = (
        "Make realistic synthetic profiles, with activity, identities and matches, straight into the tables. Same "
        "customer, pixels, seed and day, same data; a larger count adds to a smaller one, and who is there already "
        "stays. A customer that is missing is made, with three pixels (user key UserId); one that has pixels keeps "
        "them: its three oldest see the people. Attributes that are missing are made, enabled and with their types; "
        "those that are there are left alone. A share of the people is matched on each of the customer's platforms. "
        "At the end the customer's audiences are built again (by the hub's workers, once they run)."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--customer", type=int, required=True, metavar="M", help="whose users they are")
        parser.add_argument("--count", type=int, required=True, metavar="N", help="how many")
        parser.add_argument("--seed", type=int, default=1, metavar="S", help="others for another seed (default 1)")
        parser.add_argument(
            "--day",
            type=date.fromisoformat,
            metavar="YYYY-MM-DD",
            help="the last day on which they did anything (default: yesterday, UTC)",
        )

    def handle(self, *, customer: int, count: int, seed: int, day: date | None, **_: Any) -> None:
        if not 0 < customer < 2**31 or not 0 < count < 10**8 or not 0 <= seed < 2**31:
            raise CommandError("--customer, --count and --seed must be sensible positive numbers")
        end = day or clock.now().date() - timedelta(days=1)
        try:
            with _progress() as bar:
                task = bar.add_task("profiles", total=count)
                made = generate(customer, count, seed, end, lambda done: bar.advance(task, done))
        except UnsuitableCustomerError as why:
            raise CommandError(str(why)) from None
        self.stdout.write(f"{made.new:,} new profiles, {count - made.new:,} were there already")
        if made.audiences:
            self.stdout.write(f"audiences that are being built again: {', '.join(made.audiences)}")


def _progress() -> Progress:
    shown = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*shown, console=Console(stderr=True))
