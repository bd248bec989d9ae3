"""The time zone of a customer is chosen from a list in which one can search."""

from django.test import Client

from core.models import Customer


def test_customer_page__time_zone__is_chosen_from_a_searchable_list(console: Client) -> None:
    Customer.objects.create(m=1, name="Shop", time_zone="Asia/Kathmandu")

    page = console.get("/core/customer/1/change/").content.decode()

    assert '<option value="Asia/Kathmandu" selected>' in page
    assert '<option value="Europe/Berlin">' in page
    assert {"unfold-admin-autocomplete" in page, "select2.full.js" in page} == {True}


def test_customer_page__time_zone_that_is_none__is_told_at_its_field(console: Client) -> None:
    Customer.objects.create(m=1, name="Shop")

    answer = console.post("/core/customer/1/change/", {"name": "Shop", "time_zone": "Mars/Olympus"})

    assert "IANA" in str(answer.context["adminform"].form.errors["time_zone"])
    assert Customer.objects.get(m=1).time_zone == "UTC"
