"""`manage.py recount`: says which counters are wrong, and corrects them, bucket by bucket."""

from django.core.management.base import BaseCommand, CommandParser

from core.buckets import BUCKETS
from pipeline import counts


class Command(BaseCommand):
    help = "Compares every counter with what it counts, and corrects those that are wrong. The hub may be running."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="correct nothing; exit 1 where a counter is wrong")

    def handle(self, *_args: object, **options: bool) -> None:
        wrong = 0
        for bucket in range(BUCKETS):
            found = counts.check([bucket])
            if found and not options["check"]:
                found = counts.repair(bucket)
            wrong += len(found)
            for one in found:
                self.stdout.write(str(one))
        self.stdout.write(f"{wrong} counters {'are' if options['check'] else 'were'} wrong")
        if wrong and options["check"]:
            raise SystemExit(1)
