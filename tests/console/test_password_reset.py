"""A forgotten password: a link by mail or from an admin, and nobody learns who is known."""

import re
from dataclasses import replace
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.mail import EmailMessage
from django.test import Client

from core.console_environment import MailServer
from core.models import AuditEntry
from tests.support.edge_process import until

PATH = "/account/password/reset/"
OLD, NEW = "correct-horse-9", "battery-staple-7"
LINK = re.compile(r"https?://[\w.]+(/account/password/reset/key/[^\s<]+/)")


@pytest.fixture(autouse=True)
def _quick_hashes(settings: Any, db: None) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def ann() -> User:
    return User.objects.create_user("ann", "ann@example.org", OLD, is_staff=True)


@pytest.fixture
def server(settings: Any) -> None:
    settings.CONSOLE = replace(settings.CONSOLE, mail=MailServer("mail", 587, "", "", False, "hub@example.org"))


def ask(email: str) -> tuple[int, str, str]:
    browser = Client()
    answer = browser.post(PATH, {"email": email})
    return answer.status_code, answer.get("Location", ""), browser.get(answer.get("Location", PATH)).content.decode()


def chosen(path: str, password: str) -> Any:
    """Follow the link and choose a password."""
    browser = Client()
    form = browser.get(path)
    return browser.post(form.get("Location", path), {"password1": password, "password2": password})


def logs_in(password: str) -> bool:
    return bool(Client().post("/login/", {"username": "ann", "password": password}).status_code == 302)


@pytest.mark.usefixtures("server")
def test_link__sent_by_mail__serves_once_and_ends_log_ins(ann: User, mailoutbox: list[EmailMessage]) -> None:
    before = Client()
    before.force_login(ann)

    assert ask("ann@example.org")[:2] == (302, f"{PATH}done/")
    until(lambda: len(mailoutbox) == 1)
    found = LINK.search(str(mailoutbox[0].body))
    assert found is not None
    assert mailoutbox[0].to == ["ann@example.org"]
    assert chosen(found.group(1), "password").status_code == 200
    assert logs_in(OLD)
    ask("ann@example.org")
    until(lambda: len(mailoutbox) == 2)
    newer = LINK.search(str(mailoutbox[1].body))
    assert newer is not None

    assert chosen(newer.group(1), NEW).status_code == 302
    assert (logs_in(OLD), logs_in(NEW)) == (False, True)
    assert before.get("/").status_code == 302
    chosen(newer.group(1), OLD)
    chosen(found.group(1), OLD)
    assert not logs_in(OLD)
    entry = AuditEntry.objects.get(action="set password")
    assert (entry.object_number, entry.actor_kind) == (str(ann.pk), "nobody")


@pytest.mark.usefixtures("server")
def test_unknown_address__is_answered_as_a_known_one_and_gets_no_mail(
    ann: User, mailoutbox: list[EmailMessage]
) -> None:
    User.objects.create_user("left", "left@example.org", OLD, is_active=False)
    User.objects.create_user("sso", "sso@example.org")
    known = [ask("ann@example.org") for _ in range(7)]

    for other in ("nobody@example.org", "left@example.org", "sso@example.org"):
        assert [answer[:2] for answer in (ask(other) for _ in range(7))] == [answer[:2] for answer in known]
    assert [status for status, _, _ in known] == [302] * 5 + [429] * 2
    assert known[0][2] == ask("somebody@example.org")[2]
    until(lambda: len(mailoutbox) == 5)
    assert {address for mail in mailoutbox for address in mail.to} == {"ann@example.org"}


def test_hub_without_a_mail_server__says_that_an_admin_can_help_and_the_admin_can(
    ann: User, console: Client, mailoutbox: list[EmailMessage]
) -> None:
    for page in (Client().get(PATH), Client().post(PATH, {"email": "ann@example.org"})):
        assert "An admin of the hub can send you a new link" in page.content.decode()
    assert PATH in Client().get("/login/").content.decode()

    made = console.post(f"/auth/user/{ann.pk}/new-password-link/").content.decode()

    found = LINK.search(made)
    assert found is not None
    assert chosen(found.group(1), NEW).status_code == 302
    assert logs_in(NEW)
    assert mailoutbox == []
