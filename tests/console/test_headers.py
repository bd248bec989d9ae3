"""What the console tells browsers, and the addresses to which it answers."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
import requests
from django.test import Client

from core.environment import PROJECT_ROOT
from tests.support.console_process import Console, console

PUBLIC = "https://hub.example"
PROXY = {"Host": "hub.example", "X-Forwarded-Proto": "https"}


@pytest.fixture(scope="module")
def behind_a_proxy(database_url: str) -> Iterator[Console]:
    with console(database_url, DMPHUB_CONSOLE_URL=PUBLIC) as process:
        yield process


def test_page__of_the_console__lets_only_its_own_scripts_run_and_nobody_frame_it(db: None) -> None:
    headers = Client().get("/login/").headers
    rules = dict(rule.split(" ", 1) for rule in headers["Content-Security-Policy"].split("; "))

    assert rules["default-src"] == "'self'"
    assert rules["script-src"] == "'self' 'unsafe-eval'"
    assert rules["script-src-attr"] == rules["frame-ancestors"] == rules["base-uri"] == "'none'"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert "camera=()" in headers["Permissions-Policy"]
    assert "Strict-Transport-Security" not in headers


def test_api_docs__as_a_page__hold_no_script_of_their_own(db: None) -> None:
    page = Client().get("/api/v1/docs/").content.decode()

    assert re.findall(r"<script(?![^>]*\bsrc=)", page) == []


def test_form__behind_a_proxy_with_tls__is_taken_and_cookies_are_secure(behind_a_proxy: Console) -> None:
    browser = requests.Session()
    page = browser.get(f"{behind_a_proxy.url}/login/", headers=PROXY, timeout=10)
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
    assert token is not None
    sent = {"Cookie": f"csrftoken={page.cookies['csrftoken']}", "Origin": PUBLIC, "Referer": f"{PUBLIC}/login/"}
    wrong = {"csrfmiddlewaretoken": token.group(1), "username": "nobody", "password": "wrong"}

    answer = requests.post(f"{behind_a_proxy.url}/login/", wrong, headers=PROXY | sent, timeout=10)

    assert answer.status_code == 200
    assert "Secure" in page.headers["Set-Cookie"]
    assert page.headers["Strict-Transport-Security"] == "max-age=31536000"
    sent["Origin"] = "https://evil.example"
    assert requests.post(f"{behind_a_proxy.url}/login/", wrong, headers=PROXY | sent, timeout=10).status_code == 403


def test_request__for_another_host__is_refused_with_what_to_do(behind_a_proxy: Console) -> None:
    answer = requests.get(f"{behind_a_proxy.url}/login/", headers=PROXY | {"Host": "evil.example"}, timeout=10)

    assert answer.status_code == 400
    assert "DMPHUB_CONSOLE_URL" in answer.text
    assert "evil" not in answer.text
    inside = {"Host": "10.0.0.7:8000"}
    assert requests.get(f"{behind_a_proxy.url}/readyz", headers=inside, timeout=10).status_code == 200


def test_request__that_came_by_http__is_led_to_https(behind_a_proxy: Console) -> None:
    came = PROXY | {"X-Forwarded-Proto": "http"}
    answer = requests.get(f"{behind_a_proxy.url}/look-up/?id=1", headers=came, allow_redirects=False, timeout=10)

    assert (answer.status_code, answer.headers["Location"]) == (301, f"{PUBLIC}/look-up/?id=1")


def test_check_deploy__with_a_public_address__has_nothing_to_say() -> None:
    environment = os.environ | {"DMPHUB_CONSOLE_URL": PUBLIC, "DMPHUB_EDGE_URL": "https://dmp.example"}
    environment |= {"DMPHUB_ALLOW_PRIVATE_TARGETS": "0", "DMPHUB_DEBUG": "0", "DMPHUB_INSECURE_COOKIES": "0"}

    done = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=PROJECT_ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
