"""`manage.py create_api_key NAME [--role admin|marketer|analyst] [--customer M] [--expires WHEN] [--allow CIDR]…`"""

from argparse import ArgumentParser
from datetime import UTC, datetime, timedelta

from django.core.management.base import BaseCommand, CommandError

from core import clock
from core.client_address import networks
from core.models import ApiKey, Customer


class Command(BaseCommand):
    help = "Makes a key for the REST API and prints it, once: it is not kept."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME", help="what the key is for")
        parser.add_argument("--role", choices=ApiKey.Role.values, default=ApiKey.Role.ADMIN.value)
        parser.add_argument("--customer", type=int, metavar="M", help="the only customer whose data it sees")
        parser.add_argument("--expires", metavar="WHEN", help="days from now (90d), a date or a moment (ISO 8601)")
        parser.add_argument(
            "--allow", action="append", default=[], metavar="CIDR", help="where it may be used from; may be repeated"
        )

    def handle(
        self, *, name: str, role: str, customer: int | None, expires: str | None, allow: list[str], **_: object
    ) -> None:
        if not name.strip() or len(name) > 200:
            raise CommandError("NAME must have 1 to 200 characters")
        limits = {"expires_at": _moment(expires) if expires else None, "allowed_addresses": _networks(allow)}
        self.stdout.write(ApiKey.issue(name, role, _customer(customer), **limits)[1])


def _customer(m: int | None) -> Customer | None:
    if m is None:
        return None
    found = Customer.objects.filter(m=m).first()
    if found is None:
        raise CommandError(f"There is no customer {m}")
    return found


def _moment(text: str) -> datetime:
    days = text.removesuffix("d")
    if text.endswith("d") and days.isascii() and days.isdigit() and 0 < len(days) < 5 and int(days):
        return clock.now() + timedelta(days=int(days))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError("--expires must be days (90d), a date (2027-01-31) or a moment (ISO 8601)") from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if moment <= clock.now():
        raise CommandError("--expires must be in the future")
    return moment


def _networks(texts: list[str]) -> list[str]:
    try:
        networks(texts)
    except ValueError as error:
        raise CommandError(f"--allow: {error}") from None
    return texts
