"""The console's process: slow clients hold up nobody, and what one process counts, the next one knows."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest
import requests
from allauth.mfa.adapter import get_adapter
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, generate_totp_secret, hotp_value
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import DjangoDbBlocker

from core.models import ApiKey, Customer
from pipeline.models import Import
from profiles.models import Pixel
from tests.support.console_process import Console, console

SLOW = 50
PASSWORD = "correct-horse-9"
FORM = "POST /login/?next=/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\n"
UPLOAD = "POST /api/v1/imports/?pixel=9&name=a.csv HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/csv\r\n"


@pytest.fixture(scope="module")
def key(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> str:
    with django_db_blocker.unblock():
        customer = Customer.objects.create(m=1, name="Shop")
        Pixel.objects.create(id=9, customer=customer, name="files", user_key="UserId")
        return ApiKey.issue("slow", ApiKey.Role.ADMIN, None)[1]


@pytest.fixture(scope="module")
def door(database_url: str, key: str) -> Iterator[Console]:
    with console(database_url) as one:
        yield one


def connected(door: Console) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(door.url.rpartition(":")[2])), timeout=20)


def bearer(key: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"} if key else {}


def get(door: Console, address: str, key: str | None = None) -> requests.Response:
    return requests.get(f"{door.url}{address}", timeout=10, headers=bearer(key))


BEGUN = {
    "no head": "",
    "half a head": "GET /healthz HTTP/1.1\r\nHos",
    "no body": FORM + "Content-Length: 100\r\n\r\n",
    "half a body": FORM + "Content-Length: 100\r\n\r\nusername=",
    "a large form before log-in": FORM + "Content-Length: 99999999\r\n\r\nusername=" + "x" * 10_000,
    "a large body without key": UPLOAD + "Content-Length: 99999999\r\n\r\nx",
    "a large body with a key": UPLOAD + "Content-Length: 99999999\r\nAuthorization: Bearer {key}\r\n\r\nx",
    "chunks with a key": UPLOAD + "Transfer-Encoding: chunked\r\nAuthorization: Bearer {key}\r\n\r\n5\r\nusern\r\n",
}


@pytest.mark.parametrize("what", BEGUN)
def test_slow_clients__whatever_they_do_not_send__keep_nobody_waiting(door: Console, key: str, what: str) -> None:
    with ExitStack() as stack:
        for _ in range(SLOW):
            stack.enter_context(closing(connected(door))).sendall(BEGUN[what].replace("{key}", key).encode())
        assert get(door, "/healthz").text == "ok\n"
        if "{key}" not in BEGUN[what]:
            table = iter([b"no line\n"] * 3)  # in chunks
            assert requests.post(f"{door.url}/api/v1/mappings/upload/", data=table, timeout=10, headers=bearer(key)).ok
        assert get(door, "/api/v1/customers/", key).status_code == 200
        assert get(door, "/login/").status_code == 200


def test_client__that_asks_and_does_not_read__keeps_nobody_waiting(door: Console, key: str) -> None:
    assert get(door, "/api/v1/schema/").ok  # it is made once
    asked = f"GET /api/v1/schema/ HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n\r\n".encode()
    with ExitStack() as stack:
        for _ in range(SLOW):
            stack.enter_context(closing(connected(door))).sendall(asked)
        assert get(door, "/api/v1/customers/", key).status_code == 200


def test_body__that_is_cut_off__changes_nothing(door: Console, key: str, django_db_blocker: DjangoDbBlocker) -> None:
    head = f"Host: 127.0.0.1\r\nAuthorization: Bearer {key}\r\nContent-Type: "
    announced, chunks = "Content-Length: 50\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n"
    customer = f"POST /api/v1/customers/ HTTP/1.1\r\n{head}application/json\r\n"
    table = f"POST /api/v1/imports/?pixel=9&name=cut.csv HTTP/1.1\r\n{head}text/csv\r\n"
    for line, content in (
        (customer + announced, '{"m": 77, "name": "cut off"}'),
        (customer + chunks, '1c\r\n{"m": 77, "name": "cut off"}\r\n'),
        (table + announced, "UserId,a\nu1,1\n"),
        (table + chunks, "e\r\nUserId,a\nu1,1\n\r\n"),
        (table + chunks, "e\r\nUserId,a\nu1"),
    ):
        with closing(connected(door)) as one:
            one.sendall((line + content).encode())
            one.shutdown(socket.SHUT_WR)
            assert one.recv(1_000)[9:12] == b"400"
    with django_db_blocker.unblock():
        assert not Customer.objects.filter(m=77).exists()
        assert not Import.objects.filter(name="cut.csv").exists()


def test_address__is_decoded_once(door: Console, key: str) -> None:
    found = get(door, "/api/v1/customers/?%6eothing=%C3%A9%2F", key)
    assert (found.status_code, found.json()["errors"][0]["attr"]) == (400, "nothing")
    assert get(door, "/api/v1/customers/%31/", key).json()["m"] == 1
    assert get(door, "/api/v1/customers/%2531/", key).status_code == 404
    assert requests.head(f"{door.url}/healthz", timeout=10).headers["content-length"] == "3"


def code_page(browser: Any, url: str) -> Any:
    """Log in by password, up to the page that asks for the second factor."""
    browser.get(f"{url}/login/")
    return _sent(browser, f"{url}/login/", username="ann", password=PASSWORD)


def _sent(browser: Any, address: str, **typed: str) -> str:
    token = browser.cookies.get("csrftoken")
    typed["csrfmiddlewaretoken"] = getattr(token, "value", token) or ""
    answer = browser.post(address, data=typed)
    return str(answer.content.decode())


def test_codes__wrong_ones_in_two_processes__are_counted_together(
    door: Console, django_db_blocker: DjangoDbBlocker
) -> None:
    with django_db_blocker.unblock():
        user = User.objects.create_user("ann", password=PASSWORD, is_staff=True)
        secret = TOTP.activate(user, generate_totp_secret()).instance.data["secret"]
        here, there = Client(), requests.Session()
        places = [(here, ""), (there, door.url)]
        for browser, url in places:
            code_page(browser, url)
        for browser, url in [places[0]] * 8 + [places[1]] * 7:
            assert "Incorrect code" in _sent(browser, f"{url}/account/2fa/authenticate/", code="000000")
        right = format_hotp_value(hotp_value(get_adapter().decrypt(secret), int(time.time()) // 30))
        for browser, url in places:
            assert "Too many failed" in _sent(browser, f"{url}/account/2fa/authenticate/", code=right)
