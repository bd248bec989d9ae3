"""`manage.py sandbox`: the pretend third parties, in the foreground."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from sandbox.server import serve


class Command(BaseCommand):
    help = "Serve pretend third parties that check what they receive as strictly as their documents say."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default %(default)s)")
        parser.add_argument("--port", type=int, default=8090, help="0: a free one (default %(default)s)")
        parser.add_argument("--sftp-port", type=int, default=2222, help="0: a free one (default %(default)s)")

    def handle(self, *, host: str, port: int, sftp_port: int, **_: Any) -> None:
        try:
            serve(port, host, sftp_port)
        except OSError as error:
            raise CommandError(f"port {port} or {sftp_port} of {host} cannot be used: {error.strerror}") from error
