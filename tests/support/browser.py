"""A real Chromium, headless, with a profile of its own; and the pages that it opens."""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions"),
    "--no-proxy-server",
)
INSTALL_SECONDS = 600
LOCK = Path(tempfile.gettempdir()) / "dmphub-browser.lock"
STOP_SECONDS = 10


def find_browser() -> str:
    """Its path; installs one where that is possible, else skips the test."""
    found = _which()
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        with LOCK.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # tests of another process may be at it
            found = _which() or _installed()
    if found is None:
        pytest.skip(f"none of {', '.join(NAMES)} is here, and none can be installed (no root, no apt, or no network)")
    return found


def _installed() -> str | None:
    if not _apt("install", "-y", "--no-install-recommends", "chromium"):
        _apt("update")
        _apt("install", "-y", "--no-install-recommends", "chromium")
    return _which()


def _which() -> str | None:
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def _apt(*arguments: str) -> bool:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    command = ["apt-get", "-qq", *arguments]
    with suppress(subprocess.TimeoutExpired):
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=INSTALL_SECONDS,
            check=False,
        )
        return done.returncode == 0
    return False


class Browser:
    """`with Browser(url):` opens a page. `third_party_cookies` and `scripts`: what its user allows."""

    def __init__(self, url: str, *, third_party_cookies: bool = True, scripts: bool = True) -> None:
        self._url = url
        self._preferences = {
            "profile": {
                "block_third_party_cookies": not third_party_cookies,
                "cookie_controls_mode": 0 if third_party_cookies else 1,
                "default_content_setting_values": {"javascript": 1 if scripts else 2},
            }
        }

    def __enter__(self) -> Self:
        self._home = Path(tempfile.mkdtemp(prefix="dmphub-browser-"))
        (self._home / "Default").mkdir()
        (self._home / "Default" / "Preferences").write_text(json.dumps(self._preferences), encoding="utf-8")
        command = [find_browser(), *FLAGS, f"--user-data-dir={self._home}", "--remote-debugging-port=0", self._url]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends it with all the processes it started: they are a group of their own."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_SECONDS)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        shutil.rmtree(self._home, ignore_errors=True)


WATCH = """\
(function () {
  var before = Object.getOwnPropertyNames(window);
  function tell() {
    var names = Object.getOwnPropertyNames(window).filter(function (name) { return before.indexOf(name) < 0; });
    var told = new XMLHttpRequest();
    told.onload = function () { if (told.responseText) location.href = told.responseText; else setTimeout(tell, 50); };
    told.open("GET", "/told?" + document.readyState + "&" + names.join());
    told.send();
  }
  tell();
})();
"""


class Site:
    """A web site on `localhost` whose pages carry `tags`, and an image that is answered once `release` is called.

    `told`: (readyState, names of the globals that were added) as the page says again and again.
    """

    def __init__(self, tags: str) -> None:
        self.told: list[tuple[str, str]] = []
        self.views = 0
        self._next = ""
        self._released = threading.Event()
        page = f"<!doctype html><title>Shop</title><script>{WATCH}</script>{tags}<img src=/image>"
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self, page))
        self._server.daemon_threads = True
        self.url = f"http://localhost:{self._server.server_port}/"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._released.set()
        self._server.shutdown()
        self._server.server_close()

    def release(self) -> None:
        """Let pages complete."""
        self._released.set()

    def reload(self) -> None:
        """The visitor opens another page."""
        self._next = f"/?{self.views}"

    def answer(self, path: str, page: str) -> tuple[str, str]:
        """(content type, content)"""
        if path.startswith("/told?"):
            state, _, names = path.removeprefix("/told?").partition("&")
            self.told.append((state, names))
            onward, self._next = self._next, ""
            return "text/plain", onward
        if path == "/image":
            self._released.wait(60)
            return "image/gif", ""
        if path != "/" and not path.startswith("/?"):
            return "text/plain", ""
        self.views += 1
        return "text/html; charset=utf-8", page


def _handler(site: Site, page: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            kind, content = site.answer(self.path, page)
            with suppress(ConnectionError):
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content.encode())))
                self.send_header("Cache-Control", "no-store")
                self.end_headers()
                self.wfile.write(content.encode())

        def log_message(self, *_: Any) -> None:
            """Tests read what they need from the site."""

    return Handler
