"""`manage.py create_api_key NAME [--role admin|marketer|analyst] [--customer M]`"""

from argparse import ArgumentParser

from django.core.management.base import BaseCommand, CommandError

from core.models import ApiKey, Customer


class Command(BaseCommand):
    help = "Makes a key for the REST API and prints it, once: it is not kept."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME", help="what the key is for")
        parser.add_argument("--role", choices=ApiKey.Role.values, default=ApiKey.Role.ADMIN.value)
        parser.add_argument("--customer", type=int, metavar="M", help="the only customer whose data it sees")

    def handle(self, *, name: str, role: str, customer: int | None, **_: object) -> None:
        if not name.strip() or len(name) > 200:
            raise CommandError("NAME must have 1 to 200 characters")
        self.stdout.write(ApiKey.issue(name, role, _customer(customer))[1])


def _customer(m: int | None) -> Customer | None:
    if m is None:
        return None
    found = Customer.objects.filter(m=m).first()
    if found is None:
        raise CommandError(f"There is no customer {m}")
    return found
