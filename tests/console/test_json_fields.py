"""Whatever is typed where a form asks for JSON is read strictly: what cannot be kept is told at its field."""

import pytest
from django.contrib import admin
from django.forms import JSONField
from django.test import Client, RequestFactory

from console.fields import JsonField
from core.models import Customer

ODD = ["[" * 100_000, '{"a": "\\ud800"}', "9" * 5_000, '{"events_per_second": 1e400}', '{"a": "\\u0000"}', "NaN"]
TYPED = {"consent": "off", "personal_data": "allow", "name": "A", "customer": 1, "m": 2}
PLACES = {
    "limits": ["/core/customer/add/", "/integrations/platform/add/"],
    "settings": ["/integrations/platform/add/", "/activation/activation/add/"],
    "rule": ["/audiences/audience/add/"],
}


@pytest.mark.parametrize("name", PLACES)
def test_json_field__text_that_cannot_be_kept__is_told_at_its_field(console: Client, name: str) -> None:
    Customer.objects.create(m=1, name="Shop")
    for address in PLACES[name]:
        for text in ODD:
            answer = console.post(address, {**TYPED, name: text})
            assert answer.status_code == 200, (address, text[:30])
            assert "Enter a valid JSON" in str(answer.context["adminform"].form.errors[name]), (address, text[:30])


def test_estimate_and_preview__of_text_that_cannot_be_kept__say_that_it_is_no_json(console: Client) -> None:
    Customer.objects.create(m=1, name="Shop")
    for text in ODD:
        page = console.post("/audiences/estimate/", {"customer": 1, "rule": text}).content.decode()
        assert "is not JSON yet" in page


def test_forms__of_every_page__read_json_strictly(console: Client, rf: RequestFactory) -> None:
    request = rf.get("/")
    request.user = console.get("/").wsgi_request.user
    fields = [
        (model, name, type(field))
        for model, pages in admin.site._registry.items()
        for row in (None, model())
        for name, field in pages.get_form(request, row).base_fields.items()
        if isinstance(field, JSONField)
    ]

    assert len(fields) > 5
    assert {kind for _, _, kind in fields} == {JsonField}
