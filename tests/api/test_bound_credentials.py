"""Stored credentials go only where they were given for, whoever changes the address, and however."""

import importlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import connection
from django.test import Client

from core.keys import KeyRing
from core.models import Customer
from integrations.checks import try_connector
from integrations.connectors.base import Connector
from integrations.connectors.registry import all_connectors
from integrations.credential_binding import BoundCredentials
from integrations.http import Request, Response
from integrations.models import Platform, bind
from integrations.services import connector_of
from integrations.validation import check_connector
from tests.activation.conftest import private_targets
from tests.console.conftest import boss, console
from tests.support.api_caller import Caller, caller
from tests.support.listening import accepted

__all__ = ["boss", "console", "private_targets"]

SECRET = "correct-horse"
ADD: dict[str, Any] = {"method": "POST", "url": "https://ads.example/s", "body": [{"id": "{{userid}}"}]}
HTTP: dict[str, Any] = {"add": ADD, "removal": "none"}
OAUTH = {"type": "oauth2", "token_url": "https://id.example/t", "client_id": "c", "client_secret": SECRET}
LOG_IN = {"username": "u", "password": SECRET}
SFTP = {"target": "sftp", "host": "files.example", "path": "in"}
S3 = {"target": "s3", "host": "https://s3.example", "bucket": "b"}
S2S = {"partner": "P", "segment_namespace": "ep"}
CEP = {"api_url": "https://cep.example/api", "default_group_id": 1}


def elsewhere(**more: Any) -> dict[str, Any]:
    return {**HTTP, "add": {**ADD, "url": "https://other.example/s"}, **more}


@pytest.fixture
def listener(private_targets: Any) -> Iterator[tuple[str, list[str]]]:
    """Where an attacker listens; what came in, as text."""
    heard: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def listen() -> None:
            for one in accepted(server):
                with one:
                    one.settimeout(5)
                    heard.append(one.recv(65_536).decode("latin-1"))
                    one.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", heard
        server.shutdown(socket.SHUT_RDWR)
    thread.join(10)


CHANGES = [
    ("http", HTTP, {"type": "bearer", "token": SECRET}, elsewhere()),
    ("http", HTTP, OAUTH, elsewhere()),
    ("http", HTTP, {"type": "hmac", "header": "X", "secret": SECRET}, elsewhere()),
    ("http", HTTP, LOG_IN | {"type": "basic"}, {**HTTP, "check": {"method": "GET", "url": "https://other.example/"}}),
    ("http", HTTP, LOG_IN | {"type": "basic"}, {**HTTP, "add": {**ADD, "url": "http://ads.example/s"}}),
    ("http", HTTP, LOG_IN | {"type": "basic"}, {**HTTP, "add": {**ADD, "url": "https://ads.example:8443/s"}}),
    ("http", HTTP, LOG_IN | {"type": "basic"}, {**HTTP, "add": {**ADD, "url": "https://ads.example@other.example/"}}),
    ("mapp_webhook", {"url": "https://hook.example/"}, {"secret": SECRET}, {"url": "https://other.example/"}),
    ("mapp_cep", CEP, LOG_IN, {**CEP, "api_url": "https://other.example/api"}),
    (
        "mediamath_batch",
        {"advertiser_id": 1},
        {"api_key": SECRET},
        {"advertiser_id": 1, "url": "https://other.example"},
    ),
    ("mediamath_s2s", S2S, LOG_IN, {**S2S, "host": "other.example"}),
    ("mediamath_s2s", S2S, LOG_IN, {**S2S, "port": 22}),
    ("mediamath_s2s", S2S, LOG_IN, {**S2S, "hosts_by_dc": {"ewr": "other.example"}}),
    ("mediamath_s2s", S2S, LOG_IN, {**S2S, "log_url": "https://other.example/log"}),
    ("mediamath_s2s", S2S, LOG_IN, {**S2S, "taxonomy_url": "https://other.example/t"}),
    ("mediamath_s2s", S2S, LOG_IN, {**S2S, "data_segment_url": "https://other.example/d"}),
    ("file", SFTP, LOG_IN, {**SFTP, "host": "other.example"}),
    ("file", SFTP, LOG_IN, {**SFTP, "port": 2222}),
    ("file", SFTP, LOG_IN, {**S3, "host": "https://files.example"}),
    ("file", S3, LOG_IN, {**S3, "host": "https://other.example"}),
    ("file", {**S3, "host": ""}, LOG_IN, S3),
]


@pytest.mark.parametrize(("connector", "settings", "credentials", "changed"), CHANGES)
def test_address__changed_without_the_credentials__is_refused(
    connector: str, settings: dict[str, Any], credentials: dict[str, Any], changed: dict[str, Any]
) -> None:
    platform = Platform(connector=connector, settings=settings)
    stored = bind(platform, credentials)
    check_connector(connector, settings, stored)
    check_connector(connector, changed, dict(credentials))  # given again

    with pytest.raises(ValidationError) as refused:
        check_connector(connector, changed, stored)

    assert list(refused.value.message_dict) == ["credentials"]
    assert "enter them again" in str(refused.value)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    ("settings", "credentials"),
    [
        (elsewhere(), {"type": "none"}),
        ({**HTTP, "add": {**ADD, "url": "https://ADS.example:443/another/path?x=1"}}, LOG_IN | {"type": "basic"}),
        ({**HTTP, "batch_size": 10}, OAUTH),
        ({**HTTP, "add": {**ADD, "body": [{"u": "{{userid}}", "page": "https://shop.example"}]}}, OAUTH),
    ],
)
def test_settings__that_send_no_credentials_elsewhere__are_free(
    settings: dict[str, Any], credentials: dict[str, Any]
) -> None:
    check_connector("http", settings, bind(Platform(connector="http", settings=HTTP), credentials))


@pytest.mark.parametrize("url", ["https://{{name}}.example/", "https://ads.example{{userid}}/", "https://{{userid}}"])
def test_host__with_a_placeholder__is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="without placeholders"):
        check_connector("http", {**HTTP, "add": {**ADD, "url": url}}, {})


@pytest.mark.django_db
def test_api__change_of_address__needs_the_credentials_again() -> None:
    shop = Customer.objects.create(m=1, name="Shop")
    marketer, address = caller("marketer", shop), "platforms/7/"
    given = {"credentials": {"type": "bearer", "token": SECRET}}
    made = {"pl": 7, "customer": 1, "name": "Ads", "connector": "http", "settings": HTTP}
    assert marketer.post("platforms/", made | given).status == 201

    refused = marketer.patch(address, {"settings": elsewhere()})
    assert (refused.status, refused.places) == (400, [("credentials", "invalid")])
    hook = {"connector": "mapp_webhook", "settings": {"url": "https://other.example"}}
    assert marketer.patch(address, hook).status == 400
    assert Platform.objects.get().settings == HTTP

    assert marketer.patch(address, {"settings": elsewhere()} | given).status == 200
    assert marketer.patch(address, {"name": "Renamed"}).status == 200
    assert Platform.objects.get().credentials.origins == {"https://other.example:443"}


@pytest.mark.django_db
def test_platform__whose_address_was_changed_past_the_checks__sends_nothing(
    listener: tuple[str, list[str]], admin: Caller
) -> None:
    address, heard = listener
    platform = Platform.objects.create(
        customer=Customer.objects.create(m=1, name="Shop"),
        name="Ads",
        connector="http",
        settings={**HTTP, "check": {"method": "GET", "url": f"{address}/ours"}},
        credentials={"type": "bearer", "token": SECRET},
    )
    check = f"platforms/{platform.pk}/check/"
    assert admin.post(check).body["ok"]
    assert SECRET in heard[0]
    heard.clear()
    other = {**HTTP, "check": {"method": "GET", "url": f"{address.replace('127.0.0.1', 'localhost')}/theirs"}}
    Platform.objects.filter(pk=platform.pk).update(settings=other)

    answer = admin.post(check)

    assert (answer.status, answer.places) == (400, [("credentials", "invalid")])
    platform.refresh_from_db()
    platform.save()  # which binds nothing anew
    with pytest.raises(ValidationError, match="enter them again"):
        connector_of(Platform.objects.get())
    assert heard == []


@pytest.mark.django_db
@pytest.mark.parametrize("page", ["preview", "check"])
def test_console__with_another_address_typed__neither_shows_nor_sends(
    listener: tuple[str, list[str]], console: Client, page: str
) -> None:
    address, heard = listener
    hook = {"url": "https://hook.example/"}
    shop = Customer.objects.create(m=1, name="Shop")
    stored = Platform.objects.create(
        customer=shop, name="Hook", connector="mapp_webhook", settings=hook, credentials={"secret": SECRET}
    )
    typed = {"connector": "mapp_webhook", "settings": f'{{"url": "{address}/"}}', "new_credentials": ""}

    shown = console.post(f"/integrations/platform/{stored.pk}/change/{page}/", typed).content.decode()

    assert ("enter them again" in shown) is (page == "preview")
    assert "Accepted" not in shown
    assert heard == []


class Wandering(Connector):
    """A connector from elsewhere that does not say where it goes."""

    key, title, description = "wandering", "W", "W"
    address = ""

    def push(self, operation: Any, members: Any, timestamp: int) -> Request:
        raise NotImplementedError

    def check_requests(self) -> list[Request]:
        return [Request("GET", self.address, secret_headers={"X-Key": self.credentials["key"]})]

    def read_checks(self, responses: Any) -> dict[str, Any]:
        assert all(isinstance(one, Response) for one in responses)
        return {}


def test_request__to_an_address_that_the_connector_did_not_name__is_not_sent(
    listener: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, heard = listener
    monkeypatch.setattr(Wandering, "credentials_type", dict[str, str])
    monkeypatch.setattr(Wandering, "address", f"{address}/x")

    stored = try_connector(Wandering({}, BoundCredentials({"key": SECRET}, frozenset({"https://a.example:443"}))), {})
    assert (stored["ok"], heard) == (False, [])
    assert "enter them again" in stored["error"]

    assert try_connector(Wandering({}, {"key": SECRET}), {})["ok"]  # typed for this very check
    assert len(heard) == 1


@pytest.mark.django_db
def test_credentials__stored_before_they_were_bound__are_bound_by_the_migration() -> None:
    shop = Customer.objects.create(m=1, name="Shop")
    platform = Platform.objects.create(customer=shop, name="Ads", connector="http", settings=HTTP, credentials=OAUTH)
    with connection.cursor() as cursor:
        sealed = KeyRing(settings.SECRET_KEYS).seal(OAUTH)
        cursor.execute("UPDATE platform SET credentials = %s WHERE pl = %s", [sealed, platform.pk])
    with pytest.raises(ValidationError, match="must be given again"):
        connector_of(Platform.objects.get())

    importlib.import_module("integrations.migrations.0002_bound_credentials").bind_all(apps, None)

    bound = Platform.objects.get().credentials
    assert (bound, bound.origins) == (OAUTH, {"https://ads.example:443", "https://id.example:443"})
    connector_of(Platform.objects.get())


def test_every_connector__with_credentials__says_where_they_go() -> None:
    for connector, given, credentials, _ in CHANGES:
        assert all_connectors()[connector](given, credentials).origins()
