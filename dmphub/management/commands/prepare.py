"""`manage.py prepare`: what has to be done before the hub's processes start. May run at every start."""

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand

from local import first_login


class Command(BaseCommand):
    help = (
        "Migrate the database, gather static files, and make the first log-in where there is none; where PostgreSQL is "
        "the hub's own, also the edge's role, if it has one."
    )

    def handle(self, *_args: object, **options: int) -> None:
        quiet = {"interactive": False, "verbosity": max(options["verbosity"] - 1, 0)}
        call_command("migrate", **quiet)
        call_command("collectstatic", **quiet)
        environment = settings.ENVIRONMENT
        if environment.database_url is None and environment.edge_database_url:
            call_command("database_roles")
        login = first_login.ensure()
        if login.password_file is not None:
            self.stderr.write(f"console log-in: {login.username}, password in {login.password_file}")
