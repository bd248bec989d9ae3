"""`manage.py database_roles`: makes the roles that processes connect as, with no more rights than they need."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection, transaction

from core import database_roles

EDGE, APP = "DMPHUB_EDGE_DATABASE_URL", "DMPHUB_APP_DATABASE_URL"


class Command(BaseCommand):
    help = f"Makes the roles that {EDGE} and {APP} name. Run it as the owner of the tables, after every migration."

    def handle(self, *_args: object, **_options: object) -> None:
        environment = settings.ENVIRONMENT
        wanted = [(environment.edge_database_url, database_roles.grant_edge)]
        wanted.append((environment.app_database_url, database_roles.grant_app))
        if not any(url for url, _ in wanted):
            raise CommandError(f"Set {EDGE} or {APP}, or both: they name the roles and their passwords.")
        for url, grant in wanted:
            if url:
                self._grant(url, grant)

    def _grant(self, url: str, grant: Any) -> None:
        try:
            with transaction.atomic():
                connection.ensure_connection()
                grant(connection.connection, url)
        except ValueError as wrong:
            raise CommandError(str(wrong)) from None
        self.stdout.write(f"{database_roles.name_in(url)} may do its part")
