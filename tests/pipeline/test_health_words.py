"""One function says how something is doing. Here it is asked about facts of every kind."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from activation.delivery.circuit_breaker import BreakerState
from activation.models import Health as Breaker
from pipeline.health.words import (
    ActivationFacts,
    HealthState,
    HealthWord,
    PlatformFacts,
    SendingFacts,
    of_activation,
    of_import,
    of_pixel,
    of_platform,
)
from pipeline.models import Import

NOW = datetime(2026, 3, 10, 14, 20, tzinfo=UTC)
THREE = datetime(2026, 3, 10, 15, 0, tzinfo=UTC)
FREE = SendingFacts(NOW, UTC)
ALL = ActivationFacts("live", NOW, "", "", "", 100, 400, 400, 0, 0, 0, "", FREE)


def held(reason: str, state: str = Breaker.State.CLOSED, until: datetime = THREE) -> SendingFacts:
    return replace(FREE, breaker=BreakerState(state=state, until=until, reason=reason), breaker_since=NOW)


@pytest.mark.parametrize(
    ("facts", "state", "reason"),
    [
        ({}, "ok", "delivered"),
        ({"acknowledged": 250, "due": 150}, "working", "delivering 62 %"),
        ({"acknowledged": 400, "due": 3}, "working", "delivering 99 %"),
        ({"progress": 40, "acknowledged": 400}, "working", "delivering 40 %"),
        ({"status": "pending", "wanted": 0, "acknowledged": 0}, "working", "the segment is being created"),
        (
            {"status": "pending", "last_error": "HTTP 500: x"},
            "waiting",
            "the segment could not be created yet: HTTP 500: x",
        ),
        ({"status": "paused"}, "idle", "paused"),
        ({"status": "ending", "acknowledged": 7}, "working", "ending: 7 ids to be removed"),
        ({"dead": 400, "acknowledged": 0, "refusal": "not a GUID"}, "broken", "every id refused: not a GUID"),
        ({"dead": 12, "acknowledged": 388}, "degraded", "12 ids of 400 refused"),
        ({"dead": 1, "acknowledged": 399}, "ok", "delivered; 1 id refused"),
        ({"wanted": 0, "acknowledged": 0}, "idle", "the audience has nobody to send"),
        (
            {"wanted": 0, "acknowledged": 0, "waiting_for_mapping": 1200},
            "waiting",
            "nobody is matched yet: 1,200 members wait for a match",
        ),
        ({"problem": "no key opens it"}, "broken", "cannot be used as it is set up: no key opens it"),
        (
            {"status": "broken", "trouble": "credentials", "last_error": "HTTP 401: who?"},
            "broken",
            "credentials refused: HTTP 401: who?",
        ),
        ({"status": "broken", "trouble": "redirect", "last_error": "to x"}, "broken", "the address redirects: to x"),
        ({"status": "broken", "trouble": "refused", "last_error": "gone"}, "broken", "every id refused: gone"),
        ({"status": "broken", "trouble": "connector"}, "broken", "the connector has a fault"),
        ({"status": "broken"}, "broken", "broken"),
        ({"sending": replace(FREE, enabled=False)}, "idle", "the platform is switched off"),
        (
            {"sending": held("the platform's 5 files an hour are used up")},
            "waiting",
            "waits for the hour's quota until 15:00 UTC",
        ),
        (
            {"sending": held("the platform's 5 calls a day are used up", until=NOW + timedelta(hours=10))},
            "waiting",
            "waits for the day's quota until 2026-03-11 00:20 UTC",
        ),
        ({"sending": held("HTTP 429: slow")}, "waiting", "waits until 15:00 UTC, as the platform asks: HTTP 429: slow"),
        (
            {"sending": held("HTTP 503: down", Breaker.State.OPEN)},
            "degraded",
            "the platform fails, tried again at 15:00 UTC: HTTP 503: down",
        ),
        (
            {"sending": held("HTTP 503: down", Breaker.State.OPEN, NOW - timedelta(1))},
            "degraded",
            "the platform fails: HTTP 503: down",
        ),
    ],
)
def test_activation__of_these_facts__is_said_to_be(facts: dict[str, Any], state: str, reason: str) -> None:
    found = of_activation(replace(ALL, **facts))
    assert (found.state, found.sentence(persons=True)) == (state, reason)
    if state == "broken":
        assert found.action


def test_words_of_a_platform__are_not_for_everybody() -> None:
    found = of_activation(replace(ALL, status="broken", trouble="refused", last_error="no user mail@x.example"))
    assert found.shown(persons=False)["reason"] == "every id refused"
    assert "mail@" in str(found.shown(persons=True)["reason"])


def test_times__are_those_of_the_customer() -> None:
    sending = replace(held("HTTP 429"), zone=ZoneInfo("Asia/Kolkata"))
    assert "until 20:30" in of_activation(replace(ALL, sending=sending)).reason


@pytest.mark.parametrize(
    ("facts", "state", "reason"),
    [
        ({}, "idle", "no audience is sent to it"),
        ({"sending": replace(FREE, delivers=False)}, "idle", "for user sync only"),
        ({"sending": replace(FREE, problem="no connector")}, "broken", "cannot be used as it is set up: no connector"),
        ({"activations": 2, "wanted": 8, "acknowledged": 8}, "ok", "everything is delivered"),
        ({"activations": 2, "wanted": 8, "acknowledged": 4, "due": 4}, "working", "delivering 50 %"),
        ({"activations": 2, "wanted": 8, "acknowledged": 4, "dead": 4}, "degraded", "4 ids refused"),
        ({"activations": 2, "broken": (("refused", "gone"),)}, "degraded", "1 of 2 activations are broken"),
        ({"activations": 1, "broken": (("credentials", "401"),)}, "broken", "credentials refused: 401"),
        ({"activations": 1, "sending": held("x", Breaker.State.PROBING)}, "degraded", "the platform fails"),
    ],
)
def test_platform__of_these_facts__is_said_to_be(facts: dict[str, Any], state: str, reason: str) -> None:
    found = of_platform(replace(PlatformFacts(FREE), **facts))
    assert found.state == state
    assert found.sentence(persons=True).startswith(reason)


@pytest.mark.parametrize(
    ("hours", "state", "reason"),
    [
        (None, "idle", "nothing has arrived yet"),
        (1, "ok", "events arrive: 1,234 so far"),
        (23, "ok", "events arrive"),
        (25, "degraded", "nothing arrives since yesterday"),
        (24 * 9, "degraded", "nothing arrives since 2026-03-01"),
    ],
)
def test_pixel__of_these_facts__is_said_to_be(hours: int | None, state: str, reason: str) -> None:
    last = None if hours is None else NOW - timedelta(hours=hours)
    found = of_pixel(last, 1234, NOW, NOW, UTC)
    assert found.state == state
    assert found.reason.startswith(reason)


@pytest.mark.parametrize(
    ("values", "state", "reason"),
    [
        ({"status": "waiting"}, "waiting", "waits for its turn"),
        ({"status": "running", "read": 31, "size": 50}, "working", "62 % is read"),
        ({"status": "done", "stored": 1000}, "ok", "1,000 rows stored"),
        ({"status": "done", "stored": 1000, "dry_run": True}, "ok", "1,000 rows good"),
        ({"status": "done", "stored": 995, "errors": 5}, "degraded", "5 of 1,000 rows refused"),
        ({"status": "done", "errors": 5}, "broken", "every row refused"),
        ({"status": "failed", "error": "no CSV"}, "broken", "failed: no CSV"),
        ({"status": "cancelled"}, "idle", "cancelled"),
    ],
)
def test_import__of_these_facts__is_said_to_be(values: dict[str, Any], state: str, reason: str) -> None:
    found = of_import(Import(created_at=NOW, **values))
    assert (found.state, found.reason) == (state, reason)


def test_states__are_those_of_the_contract() -> None:
    assert {one.value for one in HealthState} == {"ok", "working", "waiting", "degraded", "broken", "idle"}
    assert HealthWord(HealthState.OK, "delivered").shown(persons=True).keys() == {
        *("state", "reason", "since", "people", "action"),
    }
