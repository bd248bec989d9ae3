"""The first way into a new hub: a key from the command line, a log-in for the console."""

import stat
from io import StringIO
from pathlib import Path

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.http import HttpRequest

from core import clock
from core.models import ApiKey, Customer
from local import first_login
from tests.support.api_caller import Caller

pytestmark = pytest.mark.django_db


def test_first_login__of_a_new_hub__works_and_is_for_its_owner_only(tmp_path: Path) -> None:
    first = first_login.ensure(tmp_path)

    assert first.password_file is not None
    assert stat.S_IMODE(first.password_file.stat().st_mode) == 0o600
    assert authenticate(HttpRequest(), username=first.username, password=first.password()) == User.objects.get()
    assert first_login.ensure(tmp_path) == first
    assert User.objects.count() == 1


def test_first_login__stopped_between_file_and_user__uses_the_same_password(tmp_path: Path) -> None:
    first = first_login.ensure(tmp_path)
    password = first.password()
    User.objects.all().delete()

    assert first_login.ensure(tmp_path).password() == password


def test_first_login__of_a_hub_with_people__makes_nobody(tmp_path: Path) -> None:
    User.objects.create_superuser("ann", password="ann-password")

    assert first_login.ensure(tmp_path).password_file is None
    assert User.objects.count() == 1
    assert not list(tmp_path.iterdir())


def test_first_login__password_changed_since__is_not_told(tmp_path: Path) -> None:
    first_login.ensure(tmp_path)
    user = User.objects.get()
    user.set_password("another")
    user.save()

    assert first_login.ensure(tmp_path).password_file is None


def issue(*arguments: str) -> str:
    out = StringIO()
    call_command("create_api_key", *arguments, stdout=out)
    return out.getvalue()


def test_create_api_key__for_a_customer__prints_the_key_alone() -> None:
    Customer.objects.create(m=5, name="Five")
    printed = issue("Back end", "--role", "marketer", "--customer", "5")

    assert printed == printed.strip() + "\n"
    assert Caller(printed.strip()).get("customers/").body["results"][0]["m"] == 5
    row = ApiKey.objects.get()
    assert (row.name, row.role, row.customer_id) == ("Back end", "marketer", 5)


@pytest.mark.parametrize("expires", ["90d", "2999-01-31", "2999-01-31T10:00:00+02:00"])
def test_create_api_key__with_limits__keeps_them(expires: str) -> None:
    issue("Back end", "--expires", expires, "--allow", "192.0.2.0/24", "--allow", "2001:db8::1")

    row = ApiKey.objects.get()
    assert row.allowed_addresses == ["192.0.2.0/24", "2001:db8::1"]
    assert row.expires_at is not None
    assert row.expires_at > clock.now()


UNFIT = [
    *(["K", "--customer", "99"], ["K", "--role", "king"], [" "], []),
    *(["K", "--expires", text] for text in ("soon", "2020-01-01", "d", "0d", "99999d")),
    ["K", "--allow", "192.0.2.1/24"],
]


@pytest.mark.parametrize("arguments", UNFIT)
def test_create_api_key__unfit__makes_none(arguments: list[str]) -> None:
    with pytest.raises(CommandError):
        issue(*arguments)
    assert not ApiKey.objects.exists()
