"""Inviting people, changing their roles, and removing them."""

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.core.mail import EmailMessage
from django.test import Client

from core import clock
from core.access import Access, Role
from core.console_environment import MailServer
from core.models import ApiKey, Customer, Invitation, TeamMember
from core.people import members
from core.people.models import sessions_ended_at
from tests.support.console_forms import submit
from tests.support.console_people import browser_of, person, satisfy_demand

GOOD = "correct-horse-9"
NEW = {"username": "ann", "email": "ann@example.org", "password": GOOD, "again": GOOD}


@pytest.fixture(autouse=True)
def _quick_hashes(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def shop(db: None) -> Customer:
    return Customer.objects.create(m=1, name="Shop")


@pytest.fixture
def rival(db: None) -> Customer:
    return Customer.objects.create(m=2, name="Rival")


@pytest.fixture
def boss(shop: Customer) -> Client:
    return browser_of(person("admin", shop, name="boss"))


def link(admin: Client, role: str, *customers: Customer, **more: str) -> str:
    """Invite somebody; the path of the link."""
    given = {"role": role, "customers": [row.pk for row in customers], **more}
    page = admin.post("/people/invite/", given).content.decode()
    found = re.search(r"https?://[\w.]+(/invitations/[^<]+/)<", page)
    assert found is not None, page
    return found.group(1)


def roles(name: str) -> list[tuple[str, int | None]]:
    return list(TeamMember.objects.filter(user__username=name).values_list("role", "customer_id"))


def test_invitation__accepted__gives_its_role_once(boss: Client, shop: Customer) -> None:
    path = link(boss, "marketer", shop)
    guest = Client()
    assert "You are invited as marketer" in guest.get(path).content.decode()

    assert guest.post(path, NEW)["Location"] == "/"
    satisfy_demand(guest)

    assert roles("ann") == [("marketer", shop.pk)]
    assert guest.get("/look-up/").status_code == 200
    again = Client().post(path, {**NEW, "username": "eve"})
    assert again.status_code == 404
    assert not User.objects.filter(username="eve").exists()
    assert path.split("/")[2] not in str(Invitation.objects.values())


@pytest.mark.parametrize("change", ["removed", "demoted", "moved", "inactive", "deleted"])
def test_invitation__of_who_has_not_that_much_any_more__is_not_valid(
    boss: Client, shop: Customer, rival: Customer, change: str
) -> None:
    path = link(boss, "marketer", shop)
    giver, role = User.objects.get(username="boss"), TeamMember.objects.get(user__username="boss")
    assert Client().get(path).status_code == 200
    match change:
        case "removed":
            role.delete()
        case "demoted" | "moved":
            TeamMember.objects.filter(pk=role.pk).update(
                **({"role": "analyst"} if change == "demoted" else {"customer": rival})
            )
        case "inactive":
            User.objects.filter(pk=giver.pk).update(is_active=False)
        case "deleted":
            giver.delete()

    assert Client().get(path).status_code == 404
    assert Client().post(path, NEW).status_code == 404
    assert not User.objects.filter(username="ann").exists()


def test_invitation__of_who_has_a_lesser_role_elsewhere__is_valid(shop: Customer, rival: Customer) -> None:
    giver = person("admin", shop, name="giver")
    path = link(browser_of(giver), "admin", shop)
    TeamMember.objects.create(user=giver, role="analyst", customer=rival)

    assert Client().get(path).status_code == 200


@pytest.mark.parametrize("change", ["expires_at", "revoked_at"])
def test_invitation__expired_or_revoked__is_not_valid(boss: Client, shop: Customer, change: str) -> None:
    path = link(boss, "marketer", shop)
    if change == "revoked_at":
        boss.post(f"/people/invitations/{Invitation.objects.get().pk}/")
    else:
        Invitation.objects.update(expires_at=clock.now() - timedelta(seconds=1))

    assert Client().get(path).status_code == 404
    assert Client().post(path, NEW).status_code == 404
    assert not User.objects.filter(username="ann").exists()


@pytest.mark.parametrize("wrong", [{"password": "password", "again": "password"}, {"again": "else-horse-9"}])
def test_invitation__with_a_bad_password__stays_open(boss: Client, shop: Customer, wrong: dict[str, str]) -> None:
    path = link(boss, "analyst", shop)

    assert Client().post(path, NEW | wrong).status_code == 200
    assert not User.objects.filter(username="ann").exists()
    assert Client().post(path, NEW).status_code == 302


def test_invitation__opened_by_somebody_with_a_log_in__adds_a_role_and_takes_none(
    boss: Client, shop: Customer, rival: Customer
) -> None:
    ann = person("admin", rival, name="ann")
    client = browser_of(ann)
    path = link(boss, "analyst", shop)
    assert "logged in as" in client.get(path).content.decode()

    client.post(path)

    assert sorted(roles("ann")) == [("admin", rival.pk), ("analyst", shop.pk)]


def test_invite__beyond_what_the_admin_has__is_refused(boss: Client, shop: Customer, rival: Customer) -> None:
    for given in (
        {"role": "analyst", "customers": [rival.pk]},
        {"role": "admin", "everybody": "on"},
        {"role": "admin"},
    ):
        assert "hub-secret" not in boss.post("/people/invite/", given).content.decode()
    assert not Invitation.objects.exists()
    assert browser_of(person("marketer", shop)).get("/people/").status_code == 403


def test_people__of_an_admin_of_one_customer__are_its_own(boss: Client, shop: Customer, rival: Customer) -> None:
    stranger, both = person("marketer", rival, name="stranger"), person("analyst", shop, rival, name="both")
    root = browser_of(person("admin", name="overlord"))
    link(root, "analyst", rival)

    page = boss.get("/people/").content.decode()

    assert "both" in page
    assert not {name for name in ("stranger", "overlord", "Rival", "Revoke") if name in page}
    for path in (f"/people/{stranger.pk}/", f"/people/{stranger.pk}/remove/"):
        assert boss.get(path).status_code == boss.post(path).status_code == 404
    assert boss.post(f"/people/invitations/{Invitation.objects.get().pk}/").status_code == 404
    assert "Rival" not in boss.get(f"/people/{both.pk}/").content.decode()


def test_remove__of_somebody_with_roles_elsewhere__takes_only_those_here(
    boss: Client, shop: Customer, rival: Customer
) -> None:
    both, only = person("marketer", shop, rival, name="both"), person("marketer", shop, name="only")
    clients = browser_of(both), browser_of(only)
    for client in clients:
        assert client.get("/profiles/pixel/").status_code == 200

    for user in (both, only):
        boss.post(f"/people/{user.pk}/remove/")

    assert roles("both") == [("marketer", rival.pk)]
    assert [client.get("/profiles/pixel/").status_code for client in clients] == [200, 302]
    assert roles("only") == []
    assert not User.objects.get(username="only").is_staff


def test_roles__changed__are_the_only_ones_here_and_nobody_changes_their_own(
    boss: Client, shop: Customer, rival: Customer
) -> None:
    both = person("marketer", shop, rival, name="both")

    boss.post(f"/people/{both.pk}/", {"role": "analyst", "customers": [shop.pk]})
    own = User.objects.get(username="boss")
    page = boss.post(f"/people/{own.pk}/", {"role": "analyst", "customers": [shop.pk]}).content.decode()
    boss.post(f"/people/{own.pk}/remove/")

    assert sorted(roles("both")) == [("analyst", shop.pk), ("marketer", rival.pk)]
    assert "Nobody can change their own roles" in page
    assert roles("boss") == [("admin", shop.pk)]


def test_invitation__with_a_mail_address__is_sent_where_there_is_a_server(
    boss: Client, shop: Customer, settings: Any, mailoutbox: list[EmailMessage]
) -> None:
    link(boss, "analyst", shop, email="ann@example.org")
    assert mailoutbox == []
    settings.CONSOLE = replace(settings.CONSOLE, mail=MailServer("mail", 587, "", "", False, "hub@example.org"))

    path = link(boss, "analyst", shop, email="ann@example.org")

    assert mailoutbox[0].to == ["ann@example.org"]
    assert path in mailoutbox[0].body


def test_last_admin__on_every_page__stays(db: None) -> None:
    boss, helper = person("admin", name="boss"), person("marketer", name="helper")
    User.objects.filter(pk=boss.pk).update(is_superuser=True)
    row, _ = ApiKey.issue("k", "admin", None)
    browser = browser_of(boss)
    page = f"/auth/user/{boss.pk}"
    boss.memberships.all().delete()

    for button in ("is_active", "is_staff", "is_superuser"):
        assert "last admin" in submit(browser, f"{page}/change/", **{button: None})
    for path, given in (
        (f"{page}/delete/", {"post": "yes"}),
        ("/auth/user/", {"action": "delete_selected", "_selected_action": [boss.pk, helper.pk], "post": "yes"}),
    ):
        assert "last admin" in browser.post(path, given, follow=True).content.decode()
    kept = User.objects.get(pk=boss.pk)
    assert (kept.is_active, kept.is_staff, kept.is_superuser) == (True, True, True)
    assert User.objects.filter(pk=helper.pk).exists()
    assert not LogEntry.objects.exists()
    browser.post(f"/core/apikey/{row.pk}/revoke/")
    assert ApiKey.objects.get().revoked_at is not None  # a person remains


@pytest.mark.parametrize("change", ["role", "remove"])
def test_log_ins__of_who_has_a_role_elsewhere__go_on_where_one_customer_changes_theirs(
    shop: Customer, rival: Customer, change: str
) -> None:
    giver, only_here = Access(Role.ADMIN, frozenset({shop.pk})), person("marketer", shop, name="one")
    elsewhere = person("marketer", shop, rival, name="both")
    for user in (only_here, elsewhere):
        if change == "remove":
            members.remove(giver, user)
        else:
            members.change_roles(giver, user, Access(Role.ANALYST, frozenset({shop.pk})))

    assert sessions_ended_at(only_here.pk) is not None
    assert sessions_ended_at(elsewhere.pk) is None
    members.remove(Access(Role.ADMIN, None), elsewhere)
    assert sessions_ended_at(elsewhere.pk) is not None
