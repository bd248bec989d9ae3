"""Logging in to the console: passwords, lock-out, how long it lasts, and the second factor."""

import time
from dataclasses import replace
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import User
from django.test import Client

from console.sessions import BEGUN, SEEN
from core.people.models import RoleChoice, TeamMember
from tests.support.console_people import browser_of, code_of, enrolled, satisfy_demand

GOOD = "correct-horse-9"
HOUR = 3600
PATIENT = "/account/2fa/"


@pytest.fixture(autouse=True)
def _quick_hashes(settings: Any, db: None) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def ann() -> User:
    user = User.objects.create_user("ann", password=GOOD, is_staff=True)
    TeamMember.objects.create(user=user, role=RoleChoice.MARKETER)
    return user


def log_in(client: Client, name: str = "ann", password: str = GOOD) -> Any:
    return client.post("/login/", {"username": name, "password": password})


def go_in(client: Client) -> None:
    """Log in, with all that this hub demands."""
    log_in(client)
    satisfy_demand(client)


def is_in(client: Client) -> bool:
    return client.get("/profiles/pixel/").status_code == 200


def test_log_in__with_the_right_password__opens_the_console(ann: User) -> None:
    client = Client()
    page = client.get("/login/?next=/profiles/pixel/").content.decode()
    assert 'name="username"' in page
    assert 'name="password"' in page

    answer = client.post("/login/?next=/profiles/pixel/", {"username": "ann", "password": GOOD})

    assert (answer.status_code, answer["Location"]) == (302, "/profiles/pixel/")
    satisfy_demand(client)
    assert is_in(client)
    assert not is_in(Client())


@pytest.mark.parametrize("name", ["ann", "nobody"])
def test_log_in__after_many_wrong_passwords__is_refused_whether_there_is_such_a_person_or_not(
    ann: User, name: str
) -> None:
    User.objects.create_user("bob", password=GOOD, is_staff=True)
    statuses = [log_in(Client(), name, f"wrong-{number}").status_code for number in range(30)]

    assert statuses[:9] == [200] * 9
    assert set(statuses[10:]) == {429}
    assert log_in(Client(), name).status_code == 429
    assert log_in(Client(), "bob").status_code == 302


@pytest.mark.parametrize("password", ["password", "12345678", "1234567890", "ann-marie12", "sunshine123"[:8]])
def test_password__that_is_short_common_like_the_name_or_a_number__is_refused(password: str) -> None:
    boss = browser_of(User.objects.create(username="boss", is_staff=True, is_superuser=True))

    page = boss.post("/auth/user/add/", {"username": "ann-marie", "password1": password, "password2": password})

    assert page.status_code == 200
    assert not User.objects.filter(username="ann-marie").exists()


@pytest.mark.parametrize("key", [SEEN, BEGUN])
def test_session__that_is_idle_or_old__ends(ann: User, settings: Any, key: str) -> None:
    hours = {SEEN: settings.CONSOLE.idle_hours, BEGUN: settings.CONSOLE.most_hours}[key]
    client = Client()
    go_in(client)
    session = client.session
    session[key] = time.time() - hours * HOUR + 60
    session.save()
    assert is_in(client)
    session[key] = time.time() - hours * HOUR - 60
    session.save()

    assert not is_in(client)


def test_log_out_everywhere__ends_other_log_ins_and_lets_new_ones_begin(ann: User) -> None:
    here, there = Client(), Client()
    go_in(here)
    go_in(there)
    assert here.get("/account/log-out-everywhere/").status_code == 200

    here.post("/account/log-out-everywhere/")

    assert not is_in(here)
    assert not is_in(there)
    go_in(here)
    assert is_in(here)


def test_log_in__of_somebody_without_a_role__says_so_and_lets_them_log_out(ann: User) -> None:
    TeamMember.objects.all().delete()
    ann.is_staff = False
    ann.save()
    client = Client()
    go_in(client)

    page = client.get("/")

    assert page.status_code == 403
    assert "You have no role here" in page.content.decode()
    assert client.post("/logout/")["Location"] == "/login/"


def test_sign_up__without_an_invitation__is_closed() -> None:
    Client().post("/account/signup/", {"username": "eve", "password1": GOOD, "password2": GOOD})

    assert not User.objects.filter(username="eve").exists()


def test_second_factor__once_added__is_asked_for_and_kept_encrypted(ann: User) -> None:
    client = Client()
    log_in(client)
    secret = enrolled(client)
    assert secret not in str(Authenticator.objects.values_list("data", flat=True))

    fresh = Client()
    assert log_in(fresh)["Location"].startswith("/account/2fa/authenticate/")
    assert not is_in(fresh)
    assert fresh.post("/account/2fa/authenticate/", {"code": "000000"}).status_code == 200
    assert not is_in(fresh)
    recovery = Authenticator.objects.get(type="recovery_codes").wrap().get_unused_codes()[0]
    fresh.post("/account/2fa/authenticate/", {"code": recovery})
    assert is_in(fresh)


def test_second_factor__code_that_added_the_app__does_not_log_in(ann: User) -> None:
    client = Client()
    log_in(client)
    address = "/account/2fa/totp/activate/"
    code = code_of(client.get(address).context["form"].secret)
    assert client.post(address, {"code": code}).status_code == 302

    fresh = Client()
    log_in(fresh)
    fresh.post("/account/2fa/authenticate/", {"code": code})

    assert not is_in(fresh)


def test_second_factor__where_the_hub_demands_it__leaves_only_enrolment_open(ann: User, settings: Any) -> None:
    settings.CONSOLE = replace(settings.CONSOLE, second_factor=True)
    client = Client()
    log_in(client)

    for address in ("/", "/profiles/pixel/", "/choose-customer/", "/account/password/change/"):
        answer = client.get(address)
        assert (answer.status_code, answer["Location"]) == (302, PATIENT), address
    assert client.get(PATIENT).status_code == 200
    enrolled(client)
    assert is_in(client)


def test_pages_of_the_account__look_like_the_console(ann: User) -> None:
    client = Client()
    go_in(client)
    for name in ("2fa/", "password/change/", "2fa/webauthn/add/", "reauthenticate/"):
        address = f"/account/{name}"
        page = client.get(address)
        assert page.status_code == 200, address
        assert "dmphub/console.css" in page.content.decode(), address
