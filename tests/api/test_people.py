"""People and invitations by API: admins see and change those of their customers."""

from typing import Any

import pytest
from django.contrib.auth.models import User

from core import clock
from core.errors import InvalidInvitationError
from core.models import ApiKey, Customer, Invitation, TeamMember
from core.people import invitations, members
from core.people.members import MemberRole
from tests.support.api_caller import caller
from tests.support.console_people import person


def roles(user: User) -> list[tuple[str, int | None]]:
    return list(TeamMember.objects.filter(user=user).order_by("customer_id").values_list("role", "customer_id"))


@pytest.mark.parametrize("role", ["analyst", "marketer"])
def test_people__any_but_an_admin__is_403(shop: Customer, role: str) -> None:
    for address in ("people/", "people/invitations/"):
        assert caller(role, shop).get(address).status == 403
    assert caller(role, shop).post("people/invitations/", {"role": role, "customers": [1]}).status == 403


def test_people__of_an_admin_of_one_customer__are_its_own(shop: Customer, rival: Customer) -> None:
    both, stranger = person("marketer", shop, rival, name="both"), person("admin", rival, name="stranger")
    admin = caller("admin", shop)

    [row] = admin.get("people/").body["results"]

    assert (row["username"], row["roles"]) == ("both", [{"role": "marketer", "customer": 1}])
    for call in (admin.get, admin.delete):
        assert call(f"people/{stranger.pk}/").status == 404
    assert admin.patch(f"people/{both.pk}/", {"role": "analyst", "customers": [2]}).status == 403
    assert admin.patch(f"people/{both.pk}/", {"role": "analyst", "customers": [1]}).status == 200
    assert roles(both) == [("analyst", 1), ("marketer", 2)]
    assert admin.delete(f"people/{both.pk}/").status == 204
    assert roles(both) == [("marketer", 2)]
    assert {one["username"] for one in caller("admin").get("people/").body["results"]} == {"both", "stranger"}


def test_invitations__made_seen_and_revoked__within_what_the_caller_has(shop: Customer, rival: Customer) -> None:
    admin = caller("admin", shop)
    for beyond in ([2], [1, 2], None):
        assert admin.post("people/invitations/", {"role": "analyst", "customers": beyond}).status == 403

    made = admin.post("people/invitations/", {"role": "analyst", "customers": [1], "email": "ann@example.org"})

    assert made.status == 201
    token = made.body["url"].rstrip("/").rpartition("/")[2]
    assert invitations.find(token) == Invitation.objects.get()
    assert "url" not in admin.get("people/invitations/").body["results"][0]
    address = f"people/invitations/{made.body['id']}/"
    assert caller("admin", rival).delete(address).status == 404
    assert admin.delete(address).status == 204
    assert invitations.find(token) is None


@pytest.mark.parametrize("change", ["revoked_at", "expires_at", "role", "customer"])
def test_invitation__of_a_key_that_has_not_that_much_any_more__is_not_valid(
    shop: Customer, rival: Customer, change: str
) -> None:
    made = caller("admin", shop).post("people/invitations/", {"role": "marketer", "customers": [shop.pk]})
    token = made.body["url"].rstrip("/").rpartition("/")[2]
    assert invitations.find(token) is not None
    now = {"role": "analyst", "customer": rival}.get(change, clock.now())
    ApiKey.objects.filter(customer=shop).update(**{change: now})

    assert invitations.find(token) is None
    with pytest.raises(InvalidInvitationError):
        invitations.accept(made.body["id"], person("analyst", rival, name="guest"))


def ways(user: User, shop: Customer) -> list[tuple[str, str, Any]]:
    """Each call that takes the person's role of every customer away."""
    address = f"people/{user.pk}/"
    return [
        ("delete", address, None),
        ("patch", address, {"role": "marketer", "customers": None}),
        ("patch", address, {"role": "admin", "customers": [shop.m]}),
    ]


@pytest.mark.parametrize("is_superuser", [True, False])
def test_people__last_admin__keeps_the_role(shop: Customer, is_superuser: bool) -> None:
    boss = person("admin", name="boss")
    if is_superuser:
        boss.memberships.all().delete()
        User.objects.filter(pk=boss.pk).update(is_superuser=True)
    left = User.objects.create(username="left", is_superuser=True, is_staff=True, is_active=False)
    admin = caller("admin")

    for method, address, body in ways(boss, shop):
        refused = admin.call(method, address, body)
        assert (refused.status, refused.body["errors"][0]["code"]) == (409, "conflict"), body
        assert "last admin" in refused.body["errors"][0]["detail"]
    assert members.roles_of(User.objects.get(pk=boss.pk)) == ([MemberRole("admin", None)] if is_superuser else [])
    assert roles(boss) == ([] if is_superuser else [("admin", None)])

    User.objects.filter(pk=left.pk).update(is_active=True)
    for method, address, body in ways(boss, shop)[2:]:
        assert admin.call(method, address, body).status == 200


def test_people__last_admin_of_a_customer__goes_only_where_others_administer_it(shop: Customer) -> None:
    own, admin = person("admin", shop, name="own"), caller("admin", shop)

    assert admin.delete(f"people/{own.pk}/").status == 409
    person("admin", name="boss")
    assert admin.delete(f"people/{own.pk}/").status == 204
