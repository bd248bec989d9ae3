"""A real edge process on the test database, and the configuration that its tests speak of.

`edge` is what a test asks for: one process serves the whole session, the inbox is empty at the start. The configuration
is committed once a module; `tests/conftest.py` empties the tables after it.
"""

import itertools
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import psycopg
import pytest

from core.inbox import InboxKind
from tests.support.edge_client import COMMON, Client, Reply

ROOT = Path(__file__).resolve().parents[2]
METRICS_TOKEN = "metrics-token"
START_SECONDS = 60.0  # a busy machine imports slowly
FIRST_PORT, FIRST_OUTGOING_PORT = 10_000, 32_768

CUSTOMER, OTHER_CUSTOMER = 7001, 7002
PIXEL, NESTED_PIXEL, OTHER_PIXEL, SIGNED_PIXEL = 7101, 7102, 7103, 7104
NEWEST_PIXEL = "newest"
ORIGINS = ["https://shop.example", "https://*.brands.example:8443", "http://localhost:3000"]
"""Of `PIXEL`; `NESTED_PIXEL` lists `*`, the others none."""
TOKEN_PLATFORM, SIGNED_PLATFORM, DISABLED_PLATFORM = 7201, 99999, 7203
TOKENS = ["verysecure", "older-token"]
SIGNING_SECRETS = ["verysecure", "older-secret"]
DP = {"m": CUSTOMER, "id": PIXEL}
KEYS = {
    "admin": ("admin", None),
    "marketer": ("marketer", CUSTOMER),
    "analyst": ("analyst", CUSTOMER),
    "other": ("marketer", OTHER_CUSTOMER),
    "revoked": ("admin", None),
    "expired": ("admin", None),
    "rotated": ("admin", None),
    "elsewhere": ("admin", None),
    "far-away": ("admin", None),
    "used-once": ("admin", None),
}
"""API keys by prefix: role and customer. The key itself is `api_key(prefix)`."""
_newest = itertools.count(7_110)


@dataclass(frozen=True, slots=True)
class StoredRow:
    """A row of the inbox; `message` is its decoded `query`."""

    bucket: int
    kind: int
    message: dict[str, Any]
    body: bytes | None


def api_key(prefix: str) -> str:
    return f"{prefix}.secret"


class EdgeProcess:
    """One `python -m dmphub.edge_server`, or another `program` that takes a port; `with` it, on a port of its own
    unless told."""

    def __init__(
        self,
        database_url: str,
        *,
        port: int = 0,
        environment: Mapping[str, str] | None = None,
        program: Sequence[str] = ("dmphub.edge_server",),
        log: Path | None = None,
    ) -> None:
        """`log`: where it writes; unset: where the tests do."""
        self.port = port or free_port()
        self._program = program
        self._log = log
        self._environment = {
            **os.environ,
            "DATABASE_URL": database_url,
            "DMPHUB_SECRET_KEYS": _secret_keys(),
            "DMPHUB_METRICS_TOKEN": METRICS_TOKEN,
            **(environment or {}),
        }

    def __enter__(self) -> "EdgeProcess":
        with (self._log or Path(os.devnull)).open("ab") as written:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *self._program, "--port", str(self.port)],
                cwd=ROOT,
                env=self._environment,
                stdout=written if self._log else None,
                stderr=written if self._log else None,
            )
        self.client = Client(self.port)
        until(self.answers, START_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        self.process.terminate()
        try:
            self.process.wait(30)
        finally:
            self.process.kill()

    def answers(self) -> bool:
        if self.process.poll() is not None:
            pytest.fail(f"the edge ended with {self.process.returncode}")
        try:
            return self.client.get("/healthz").status == 200
        except OSError:
            return False

    def ready(self) -> bool:
        return self.client.get("/readyz").status == 200


class RunningEdge:
    """The session's edge as a test sees it: send by `client`, look at `rows()`."""

    def __init__(self, process: EdgeProcess, database: psycopg.Connection[Any]) -> None:
        self.process = process
        self.client = process.client
        self.database = database

    def rows(self) -> list[StoredRow]:
        """What the inbox holds, in the order it came, but for the uses of API keys."""
        found = self.database.execute(
            "SELECT bucket, kind, query, body FROM inbox WHERE kind <> %s ORDER BY id", [InboxKind.KEY_USED]
        ).fetchall()
        return [StoredRow(bucket, kind, msgspec.json.decode(query), body) for bucket, kind, query, body in found]

    def only_row(self) -> StoredRow:
        (row,) = self.rows()
        return row

    def check_refused(self, reply: Reply, status: int, name: str) -> None:
        """A refusal: named, and without any effect."""
        assert (reply.status, reply.name) == (status, name)
        assert "set-cookie" not in reply.headers
        assert "location" not in reply.headers
        assert COMMON.items() <= reply.headers.items()
        assert self.rows() == []


def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait for a condition; fails the test where it does not come true."""
    end, pause = time.monotonic() + seconds, 0.002
    while not condition():
        if time.monotonic() > end:
            pytest.fail("did not come true in time")
        time.sleep(pause)
        pause = min(0.02, pause * 1.5)


def free_port() -> int:
    """Return a port that nobody listens at, and that the kernel gives to no outgoing connection meanwhile."""
    while True:
        port = FIRST_PORT + secrets.randbelow(FIRST_OUTGOING_PORT - FIRST_PORT)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def raise_version(database: psycopg.Connection[Any]) -> None:
    """Tell every edge that the configuration changed; also after another test emptied the table."""
    database.execute(
        "INSERT INTO configuration_version (id, version) VALUES (1, %s) "
        "ON CONFLICT (id) DO UPDATE SET version = configuration_version.version + 1",
        [time.time_ns()],
    )


def _secret_keys() -> str:
    from django.conf import settings

    return ",".join(settings.SECRET_KEYS)


@pytest.fixture(scope="session")
def database_url(django_db_setup: None) -> str:
    """The test database, as psycopg takes it."""
    from django.db import connection

    parts = connection.settings_dict
    login = quote(parts["USER"]) + (f":{quote(parts['PASSWORD'])}" if parts["PASSWORD"] else "")
    place = f"?host={quote(parts['HOST'], safe='')}" + (f"&port={parts['PORT']}" if parts["PORT"] else "")
    return f"postgresql://{login}@/{quote(parts['NAME'])}{place}"


@pytest.fixture(scope="session")
def database(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="session")
def edge_process(database_url: str) -> Iterator[EdgeProcess]:
    with EdgeProcess(database_url) as process:
        yield process


@pytest.fixture
def house(db: None, database: psycopg.Connection[Any]) -> int:
    """The configuration, stored for every edge process to see, and an empty inbox.

    Returns the number of a pixel that no configuration before this one had.
    """
    database.execute("DELETE FROM inbox")
    newest = database.execute("SELECT id FROM pixel WHERE name = %s", [NEWEST_PIXEL]).fetchone()
    if newest is not None:
        return int(newest[0])
    number = next(_newest)
    with ThreadPoolExecutor(1) as outside_the_transaction_of_the_test:
        outside_the_transaction_of_the_test.submit(_furnish, number).result()
    raise_version(database)
    return number


@pytest.fixture
def edge(house: int, edge_process: EdgeProcess, database: psycopg.Connection[Any]) -> RunningEdge:
    client = edge_process.client
    until(edge_process.ready)
    until(lambda: client.get("/sync.js", {"m": CUSTOMER, "id": house}).status == 200)
    return RunningEdge(edge_process, database)


def _furnish(newest_pixel: int) -> None:
    from django.db import connection

    from core.api_keys import digest
    from core.models import ApiKey, Customer
    from integrations.models import Platform
    from profiles.models import Pixel

    for m in (CUSTOMER, OTHER_CUSTOMER):
        Customer(m=m, name=f"Customer {m}", personal_data="refuse" if m == OTHER_CUSTOMER else "hash").save()
    Pixel(id=PIXEL, customer_id=CUSTOMER, name="shop", user_key="UserId", origins=ORIGINS).save()
    Pixel(id=NESTED_PIXEL, customer_id=CUSTOMER, name="account", user_key="Account.Id", origins=["*"]).save()
    Pixel(
        id=SIGNED_PIXEL,
        customer_id=CUSTOMER,
        name="signed",
        user_key="UserId",
        auth="signed",
        signing_secrets=SIGNING_SECRETS,
    ).save()
    Pixel(id=OTHER_PIXEL, customer_id=OTHER_CUSTOMER, name="other").save()
    signed = Platform.SyncAuth.SIGNED
    common = {"customer_id": CUSTOMER, "connector": "none"}
    Platform(pl=TOKEN_PLATFORM, name="token", sync_secrets=TOKENS, **common).save()
    Platform(pl=SIGNED_PLATFORM, name="signed", sync_auth=signed, sync_secrets=SIGNING_SECRETS, **common).save()
    for prefix, (role, customer) in KEYS.items():
        given = {"role": role, "customer_id": customer, "digest": digest(api_key(prefix)), **_limits(prefix)}
        ApiKey.objects.update_or_create(prefix=prefix, defaults={"name": prefix, **given})
    Platform(pl=DISABLED_PLATFORM, name="off", enabled=False, sync_secrets=TOKENS, **common).save()
    # last: an edge that knows it knows all the others
    Pixel(id=newest_pixel, customer_id=CUSTOMER, name=NEWEST_PIXEL).save()
    connection.close()


def _limits(prefix: str) -> dict[str, Any]:
    """What the key that is called so is refused, or accepted, for."""
    from core.api_keys import digest

    now = datetime.now(UTC)
    limits: dict[str, dict[str, Any]] = {
        "revoked": {"revoked_at": now},
        "expired": {"expires_at": now},
        "elsewhere": {"allowed_addresses": ["192.0.2.0/24"]},
        "far-away": {"allowed_addresses": ["192.0.2.0/24"]},
        "rotated": {
            "digest": digest("rotated.newer"),
            "previous_digest": digest(api_key("rotated")),
            "previous_until": now + timedelta(hours=1),
        },
    }
    return limits.get(prefix, {})
