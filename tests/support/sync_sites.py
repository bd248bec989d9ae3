"""An edge, a sandbox, and visitors who take their cookies from one to the other."""

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin, urlsplit

import msgspec
import psycopg
import pytest
import requests
from django.db import connection, transaction
from pytest_django import DjangoDbBlocker

from core.inbox import InboxKind
from tests.support.edge_process import EdgeProcess, free_port, raise_version, until
from tests.support.sandbox_process import SandboxProcess

CUSTOMER = 7301
MOST_HOPS = 40
_ids = itertools.count(7_310)


@dataclass(frozen=True, slots=True)
class Hop:
    """`name`: the X-DMP-Status, where it is our edge that answered."""

    url: str
    status: int
    name: str
    body: bytes
    headers: dict[str, str]


@dataclass(slots=True)
class Visitor:
    """A browser that runs no scripts: it follows redirects and keeps cookies, by host and port."""

    cookies: defaultdict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))

    def open(self, url: str) -> list[Hop]:
        """Every answer on the way."""
        hops: list[Hop] = []
        while url:
            hop = self._once(url)
            hops.append(hop)
            if len(hops) > MOST_HOPS:
                pytest.fail("redirects without end")
            url = urljoin(url, hop.headers["location"]) if "location" in hop.headers else ""
        return hops

    def _once(self, url: str) -> Hop:
        jar = self.cookies[urlsplit(url).netloc]
        sent = {"Cookie": "; ".join(f"{name}={value}" for name, value in jar.items())} if jar else {}
        answer = requests.get(url, headers=sent, allow_redirects=False, timeout=10)
        jar.update(answer.cookies.get_dict())
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return Hop(url, answer.status_code, headers.get("x-dmp-status", ""), answer.content, headers)


class Sites:
    """The edge and the sandbox, with platforms and pixels that are added as tests need them."""

    def __init__(self, edge: EdgeProcess, sandbox: SandboxProcess, database: psycopg.Connection[Any]) -> None:
        self.edge = edge
        self.edge_url = f"http://127.0.0.1:{edge.port}"
        self.sandbox = sandbox
        self._database = database

    def platform(self, template: str = "{sandbox}/sync/{account}?out={{{{callback}}}}", **fields: Any) -> int:
        """A platform whose account at the sandbox is named for it; its `pl`. `{sandbox}`: the sandbox's address."""
        from integrations.models import Platform

        pl = next(_ids)
        secrets = [f"{pl}-secret"]
        address = template.format(sandbox=self.sandbox.url, account=pl)
        said = {"sync_secrets": secrets, "connector": "none", "sync_template": address, **fields}
        _committed(lambda: Platform(pl=pl, customer_id=CUSTOMER, name=f"platform {pl}", **said).save())
        return pl

    def pixel(self, *platforms: int, priorities: tuple[int, ...] = ()) -> int:
        """A pixel that starts these platforms' syncs, once the edge knows it."""
        from profiles.models import Pixel, PixelIntegration

        pixel = next(_ids)
        links = list(itertools.zip_longest(platforms, priorities, fillvalue=0))

        def save() -> None:
            with transaction.atomic():  # the edge sees all of it or nothing
                Pixel(id=pixel, customer_id=CUSTOMER, name=f"pixel {pixel}").save()
                for pl, priority in links:
                    PixelIntegration(pixel_id=pixel, platform_id=pl, priority=priority).save()

        _committed(save)
        raise_version(self._database)
        until(lambda: self.edge.client.get("/sync.js", {"m": CUSTOMER, "id": pixel}).status == 200)
        return pixel

    @contextmanager
    def consent_required(self) -> Iterator[None]:
        """By the customer, for the time of the block."""
        self._demand("required")
        try:
            yield
        finally:
            self._demand("when-present")

    def _demand(self, consent: str) -> None:
        self._database.execute("UPDATE customer SET consent = %s WHERE m = %s", [consent, CUSTOMER])
        self.pixel()  # known to the edge with, or after, what was just changed

    def address(self, path: str, pixel: int, query: str = "") -> str:
        return f"{self.edge_url}{path}?m={CUSTOMER}&id={pixel}{query}"

    def mapped(self) -> dict[int, tuple[str, str]]:
        """What `/uid` has stored: our user and the platform's id, by platform."""
        rows = self._database.execute(
            "SELECT query FROM inbox WHERE kind = %s ORDER BY id", [InboxKind.SYNC]
        ).fetchall()
        found = [msgspec.json.decode(query) for (query,) in rows]
        assert len({row["platform"] for row in found}) == len(found), "a platform was synced twice"
        return {row["platform"]: (row["user"], row["platform_user_id"]) for row in found}

    def stored(self, kind: InboxKind) -> list[dict[str, Any]]:
        rows = self._database.execute("SELECT query FROM inbox WHERE kind = %s ORDER BY id", [kind]).fetchall()
        return [msgspec.json.decode(query) for (query,) in rows]

    def forget(self) -> None:
        self._database.execute("DELETE FROM inbox")
        self.sandbox.reset()


def _committed(save: Callable[[], object]) -> None:
    """Outside the transaction of the test."""

    def alone() -> None:
        save()
        connection.close()

    with ThreadPoolExecutor(1) as thread:
        thread.submit(alone).result()


@pytest.fixture(scope="module")
def running_sites(
    database_url: str, database: psycopg.Connection[Any], django_db_blocker: DjangoDbBlocker
) -> Iterator[Sites]:
    port = free_port()
    environment = {"DMPHUB_EDGE_URL": f"http://127.0.0.1:{port}"}
    with django_db_blocker.unblock():
        from core.models import Customer

        _committed(Customer(m=CUSTOMER, name="Sites").save)
        with EdgeProcess(database_url, port=port, environment=environment) as edge, SandboxProcess() as sandbox:
            until(edge.ready)
            yield Sites(edge, sandbox, database)


@pytest.fixture
def sites(db: None, running_sites: Sites) -> Sites:
    """With an empty inbox and an empty sandbox."""
    running_sites.forget()
    return running_sites
