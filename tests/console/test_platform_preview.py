"""A platform's form shows what its connector needs and what it would send, as it is typed."""

import gzip
import json

import pytest
from django.contrib.auth.models import User
from django.test import Client

from core.models import Customer
from integrations.models import Platform
from tests.console.test_changes import ADD, BASIC, HTTP
from tests.integrations.connectors.mediamath_s2s.reader import read
from tests.support.console_people import browser_of

ADDRESS = "/integrations/platform/add/preview/"
CEP = {"api_url": "https://cep.example/api/rest/v6", "default_group_id": 4711}
S2S = {"partner": "Partner", "segment_namespace": "ep"}


@pytest.fixture
def shop(db: None) -> Customer:
    return Customer.objects.create(m=1, name="Shop")


def shown(console: Client, connector: str, settings: str, credentials: str = "", address: str = ADDRESS) -> str:
    typed = {"connector": connector, "settings": settings, "new_credentials": credentials}
    answer = console.post(address, typed)
    assert answer.status_code == 200
    return answer.content.decode()


def test_preview__shows_the_requests_without_secrets(console: Client) -> None:
    page = shown(console, "http", HTTP, BASIC)
    assert "POST https://ads.example/s" in page
    assert "&quot;segment&quot;: 12345" in page
    assert "Authorization: •••" in page
    assert "correct-horse" not in page
    assert not Platform.objects.exists()


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ("{", "settings: This is no JSON yet."),
        ("[]", "settings: This must be a JSON object."),
        (json.dumps({"add": {**ADD, "url": "https://ads.example/{{nobody}}"}}), "unknown placeholder {{nobody}}"),
        ("", "missing required field `add`"),
    ],
)
def test_preview__tells_what_is_wrong_while_it_is_typed(console: Client, settings: str, told: str) -> None:
    assert told in shown(console, "http", settings)


def test_preview__explains_the_switches_and_links_of_cep(console: Client) -> None:
    page = shown(console, "mapp_cep", json.dumps(CEP), '{"username": "dmp", "password": "s3cret"}')
    for told in ("dmp_matching_link_click", "dmp_matching_read_message_online", "Mail links", "default_group_id"):
        assert told in page
    assert "group/clone?groupId=4711" in page
    assert "s3cret" not in page


def test_preview__warns_of_what_is_hardly_meant(console: Client) -> None:
    mapping = [{"from": "a", "to": "mt_excl"}, {"from": "b", "to": "mt_exem"}]
    assert "only one of the two hashes" in shown(
        console, "mediamath_event", json.dumps({"advertiser_id": 1, "mapping": mapping})
    )


def test_preview__of_a_stored_platform_uses_its_credentials_unseen(console: Client, shop: Customer) -> None:
    platform = Platform.objects.create(
        customer=shop,
        name="Mail",
        connector="mapp_cep",
        settings=CEP,
        credentials={"username": "d", "password": "s3cret"},
    )
    address = f"/integrations/platform/{platform.pk}/change/preview/"
    page = shown(console, "mapp_cep", json.dumps(CEP), address=address)
    assert "membership/subscribe" in page
    assert "s3cret" not in page


def test_preview__is_for_those_who_may_change_platforms(db: None) -> None:
    reader = browser_of(User.objects.create(username="reader", is_staff=True))
    assert reader.post(ADDRESS, {"connector": "http"}).status_code == 403


def test_form__asks_for_the_preview(console: Client, shop: Customer) -> None:
    page = console.get("/integrations/platform/add/").content.decode()
    assert 'hx-post="preview/"' in page
    assert "htmx.js" in page


def test_sample_file__is_downloaded_before_the_first_upload(console: Client, shop: Customer) -> None:
    platform = Platform.objects.create(
        customer=shop,
        name="MM",
        connector="mediamath_s2s",
        settings=S2S,
        credentials={"username": "u", "password": "p"},
    )
    answer = console.get(f"/integrations/platform/{platform.pk}/sample-file/")
    name = answer["Content-Disposition"].partition('filename="')[2].rstrip('"')
    rows = read(name, answer.content).rows
    assert gzip.decompress(answer.content).startswith(b"Version: 3\n")
    assert [row.statements for row in rows] == [[("12345", 0)], [("12345", -1)]]


def test_sample_file__of_what_takes_requests_is_none(console: Client, shop: Customer) -> None:
    platform = Platform.objects.create(customer=shop, name="Ads", connector="none")
    page = console.get(f"/integrations/platform/{platform.pk}/sample-file/", follow=True).content.decode()
    assert "takes requests, not files" in page


@pytest.mark.parametrize("key", ["mapp_cep", "mapp_webhook"])
def test_check_now__is_offered_where_the_platform_can_be_asked(console: Client, key: str) -> None:
    assert 'hx-post="check/"' in shown(console, key, "")
    assert 'hx-post="check/"' not in shown(console, "mediamath_event", "")


def test_check_now__asks_with_what_is_typed(console: Client) -> None:
    """Our own network is closed to it, which is as good an answer as any."""
    typed = json.dumps({"url": "http://127.0.0.1:9/hook"})
    told = shown(console, "mapp_webhook", typed, '{"secret": "s3cret"}', "/integrations/platform/add/check/")
    assert "Not accepted." in told
    assert "private network" in told
    assert "s3cret" not in told
    assert "do not fit yet" in shown(console, "mapp_webhook", "{}", address="/integrations/platform/add/check/")
