"""Whatever is sent over a socket: the edge gives answers that are documented, shows no secret, and lives on.

`tests/faults/test_fuzz.py` does the same for twenty minutes with a whole hub.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.edge_answers import DocumentedStatuses, NoAnswerError, answers_in
from tests.support.edge_fuzz import EdgeFuzz
from tests.support.edge_process import (
    CUSTOMER,
    METRICS_TOKEN,
    OTHER_CUSTOMER,
    OTHER_PIXEL,
    PIXEL,
    SIGNED_PIXEL,
    SIGNED_PLATFORM,
    SIGNING_SECRETS,
    TOKEN_PLATFORM,
    TOKENS,
    EdgeProcess,
    api_key,
    until,
)
from tests.support.odd_conversations import ConversationDrawer
from tests.support.odd_requests import CARD, PERSON, EdgeTargets
from tests.support.planted import Planted
from tests.support.vitals import Vitals

SEED, CONVERSATIONS, SECONDS = 1, 300, 60.0
TARGETS = EdgeTargets(
    customer=CUSTOMER,
    pixel=PIXEL,
    signed_pixel=SIGNED_PIXEL,
    signing_secret=SIGNING_SECRETS[0],
    refusing=(OTHER_CUSTOMER, OTHER_PIXEL),
    token_platform=TOKEN_PLATFORM,
    token=TOKENS[0],
    signed_platform=SIGNED_PLATFORM,
    sync_secret=SIGNING_SECRETS[0],
    keys=[api_key(name) for name in ("marketer", "analyst", "other", "revoked")],
)
PLANTED = Planted(
    {
        **{f"key {key}": key for key in TARGETS.keys},
        **{f"secret {secret}": secret for secret in (*TOKENS, *SIGNING_SECRETS, METRICS_TOKEN)},
        "a person": PERSON,
        "a card": CARD,
    }
)


@pytest.fixture
def alone(house: int, database_url: str, tmp_path: Path) -> Iterator[tuple[EdgeProcess, Path]]:
    """An edge process of its own, and its log."""
    log = tmp_path / "edge.log"
    with EdgeProcess(database_url, log=log) as process:
        until(process.ready)
        until(lambda: process.client.get("/sync.js", {"m": CUSTOMER, "id": house}).status == 200)
        yield process, log


def test_edge__in_odd_conversations__answers_as_documented_and_shows_no_secret(
    alone: tuple[EdgeProcess, Path],
) -> None:
    process, log = alone
    drawer = ConversationDrawer(TARGETS, pause=0.02, patient=False)
    with Vitals({process.port: process.process.pid}) as vitals:
        report = EdgeFuzz(process.port, drawer, PLANTED, SEED).run(seconds=SECONDS, most=CONVERSATIONS, threads=8)
    print(report.told(), f"/healthz took {vitals.slowest:.3f} s at most", sep="\n")

    assert report.faults == []
    assert vitals.late == []
    assert PLANTED.logged(log) == []
    assert "Traceback" not in log.read_text(encoding="utf-8")
    assert process.process.poll() is None
    assert len(report.answers) > 15


def test_answers__that_are_none_or_not_documented__are_found() -> None:
    statuses = DocumentedStatuses()
    fields = "cache-control: no-cache, no-store, must-revalidate\r\npragma: no-cache\r\nexpires: 0\r\n"

    def fault(status: int, name: str, more: str = "") -> str:
        text = f"HTTP/1.1 {status} X\r\n{fields}x-dmp-status: {name}\r\n{more}content-length: 1\r\n\r\nx"
        (answer,) = answers_in(text.encode(), cut=False, may_be_head=False)
        return statuses.fault_of(answer)

    assert [fault(200, "accepted"), fault(400, "bad-userid"), fault(503, "busy", "retry-after: 1\r\n")] == [""] * 3
    assert fault(500, "failed")
    assert fault(200, "bad-data")
    assert fault(400, "bad-data", "set-cookie: a=b\r\n")
    assert fault(429, "over-quota")
    for text in (b"HTTP/1.1 200 OK\r\n\r\nx", b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nabc", b"x"):
        with pytest.raises(NoAnswerError):
            list(answers_in(text, cut=False, may_be_head=False))
