"""Names of attributes: refused where they are made; one that is stored all the same can be read, and switched off."""

import pytest
from django.db import connection

from core.models import Customer
from profiles.models import Attribute, Pixel
from tests.support.api_caller import Caller

BAD_NAMES = ["a..b", ".", ".a", "a.", "a\\", "a\\b", "a\nb", ".".join("a" * 33), "é" * 401]


@pytest.mark.parametrize("path", BAD_NAMES)
def test_name_that_is_no_path__is_refused_where_it_is_made(admin: Caller, shop: Customer, path: str) -> None:
    answer = admin.post("attributes/", {"customer": shop.m, "path": path, "enabled": True})

    assert answer.status == 400
    assert answer.places[0][0] == "path"
    assert not Attribute.objects.exists()


def test_user_key_that_is_no_path__is_refused(admin: Caller, shop: Customer, pixel: Pixel) -> None:
    made = admin.post("pixels/", {"customer": shop.m, "name": "more", "user_key": "a..b"})
    changed = admin.patch(f"pixels/{pixel.pk}/", {"user_key": "a..b"})

    assert (made.status, changed.status) == (400, 400)
    assert made.places == changed.places == [("user_key", "invalid")]


@pytest.fixture
def stored(shop: Customer) -> Attribute:
    """An enabled attribute whose path became bad behind everybody's back."""
    row = Attribute.objects.create(customer=shop, path="good", enabled=True, type="number")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE attribute SET path = 'a..b' WHERE id = %s", [row.id])
    return row


def test_bad_name_that_is_stored__can_be_listed_changed_and_switched_off(admin: Caller, stored: Attribute) -> None:
    assert admin.get("attributes/").body["results"][0]["path"] == "a..b"
    place = f"attributes/{stored.id}/"
    assert admin.patch(place, {"path": "a..b", "name": "old", "sensitive": True}).status == 200
    assert admin.patch(place, {"enabled": False}).status == 200
    assert not Attribute.objects.get(pk=stored.pk).enabled


def test_bad_name_that_is_stored__cannot_be_switched_on_again(admin: Caller, stored: Attribute) -> None:
    Attribute.objects.filter(pk=stored.pk).update(enabled=False)
    answer = admin.patch(f"attributes/{stored.id}/", {"enabled": True})

    assert (answer.status, answer.places) == (400, [("path", "invalid")])
