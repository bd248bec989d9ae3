"""The edge as a process: what it answers beside its two routes, and how it starts and stops."""

import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from tests.support.edge_client import COMMON, Client, Reply
from tests.support.edge_process import DP, METRICS_TOKEN, ROOT, TOKEN_PLATFORM, TOKENS, EdgeProcess, RunningEdge, until

USER = "6f6f1c1e-9d0b-4c7e-8a7e-0123456789ab"
SYNC: dict[str, object] = {"userid": "abc", "pl": TOKEN_PLATFORM, "plsec": TOKENS[0]}


@pytest.mark.parametrize(("path", "name"), [("/healthz", "ok"), ("/readyz", "ready")])
def test_health__edge_running__is_told(edge: RunningEdge, path: str, name: str) -> None:
    reply = edge.client.get(path)
    assert (reply.status, reply.name) == (200, name)
    assert COMMON.items() <= reply.headers.items()


@pytest.mark.parametrize("path", ["/", "/dp/", "/uid2", "/admin/", "//dp", "/dp%2f"])
def test_edge__unknown_path__is_not_found(edge: RunningEdge, path: str) -> None:
    reply = edge.client.get(path)
    assert (reply.status, reply.name) == (404, "not-found")
    assert COMMON.items() <= reply.headers.items()


@pytest.mark.parametrize("authorization", [None, "", "Bearer ", "Bearer wrong", METRICS_TOKEN])
def test_metrics__without_the_token__are_not_found(edge: RunningEdge, authorization: str | None) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    assert edge.client.send("GET", "/metrics", headers=headers).status == 404


@pytest.mark.usefixtures("house")
def test_metrics__no_token_set__are_not_found(database_url: str) -> None:
    with EdgeProcess(database_url, environment={"DMPHUB_METRICS_TOKEN": ""}) as process:
        assert process.client.send("GET", "/metrics", headers={"Authorization": "Bearer "}).status == 404


def test_metrics__with_the_token__count_answers_by_route_and_status(edge: RunningEdge) -> None:
    before = _counted(edge.client)
    edge.client.get("/uid", {**SYNC, "ttl": "x"})
    assert _counted(edge.client) == before + 1


@pytest.mark.usefixtures("house")
def test_metrics__several_processes__are_counted_together(database_url: str, tmp_path: Path) -> None:
    shared = {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    with (
        EdgeProcess(database_url, environment=shared) as first,
        EdgeProcess(database_url, environment=shared) as second,
    ):
        for process in (first, second):
            until(process.ready)
            assert process.client.get("/uid", {**SYNC, "ttl": "x"}, cookie=USER).name == "bad-ttl"
        until(lambda: _counted(first.client) == 2)


def test_edge__under_another_asgi_server__responds_and_stores_alike(edge: RunningEdge, database_url: str) -> None:
    granian = ("granian", "--interface", "asgi", "--factory", "--loop", "uvloop", "dmphub.asgi:make_edge")
    with EdgeProcess(database_url, program=granian) as other:
        until(other.ready)
        ours, theirs = _replies(edge.client), _replies(other.client)
    assert [(one.status, one.name, one.body) for one in theirs] == [(one.status, one.name, one.body) for one in ours]
    assert [one.name for one in theirs] == ["stored", "accepted", "not-found"]
    assert all(COMMON.items() <= one.headers.items() for one in theirs)
    assert len(edge.rows()) == 4


def _replies(client: Client) -> list[Reply]:
    synced, sent = client.get("/uid", SYNC, cookie=USER), client.post("/dp", DP, b'{"a":1}', cookie=USER)
    return [synced, sent, client.get("/nowhere")]


def _counted(client: Client) -> float:
    """How often `/uid` answered bad-ttl."""
    reply = client.send("GET", "/metrics", headers={"Authorization": f"Bearer {METRICS_TOKEN}"})
    assert reply.status == 200
    start = 'dmphub_edge_answers_total{route="/uid",status="bad-ttl"} '
    return sum(float(line.removeprefix(start)) for line in reply.body.decode().splitlines() if line.startswith(start))


def test_edge__imports__no_django() -> None:
    program = "import sys, dmphub.edge_server; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    imported = {name for name in found.stdout.split() if name.split(".")[0] == "django"}
    # kombu, which sends the wake-ups, looks whether Django's lazy texts are about.
    assert {name for name in imported if not name.startswith("django.utils")} <= {"django"}


@pytest.mark.usefixtures("house")
def test_edge__two_processes__share_a_port(database_url: str) -> None:
    with EdgeProcess(database_url) as first, EdgeProcess(database_url, port=first.port) as second:
        until(first.ready)
        first.process.kill()
        first.process.wait()
        until(second.answers)
        until(second.ready)


@pytest.mark.usefixtures("house")
def test_edge__terminated_while_requests_wait_for_their_commit__answers_them_and_ends(database_url: str) -> None:
    with EdgeProcess(database_url) as process, psycopg.connect(database_url) as blocker:
        until(process.ready)
        blocker.execute("LOCK TABLE inbox IN EXCLUSIVE MODE")
        with ThreadPoolExecutor(8) as senders:
            replies = [senders.submit(_sync_once, process.port) for _ in range(8)]
            until(lambda: _waiting_for_lock(database_url))
            process.process.send_signal(signal.SIGTERM)
            told = time.monotonic()
            threading.Timer(0.5, blocker.rollback).start()
            assert {future.result().name for future in replies} == {"stored"}
        assert process.process.wait(4) == 0
        assert time.monotonic() - told < 3.5


def _sync_once(port: int) -> Reply:
    client = Client(port)
    try:
        return client.get("/uid", SYNC, cookie=USER)
    finally:
        client.close()


def _waiting_for_lock(database_url: str) -> bool:
    with psycopg.connect(database_url) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'inbox'::regclass"
        ).fetchone()
    return row is not None and row[0] > 0
