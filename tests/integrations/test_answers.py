"""Answers are read by conditions and for each row, however odd they are: nothing is taken for a success by mistake."""

import time
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.answers import conditions, items
from integrations.answers.conditions import AnswerCondition
from integrations.answers.items import ItemResults
from integrations.answers.meaning import Meaning, failure, says_it_exists
from integrations.answers.waiting import MAX_WAIT_SECONDS, retry_after
from integrations.connectors.http.connector import HttpConnector
from integrations.errors import (
    BusyError,
    IntegrationError,
    MisconfiguredError,
    RateLimitedError,
    RefusedError,
    RetriableError,
    RowRefusedError,
    SegmentRefusedError,
    UnclearAnswerError,
)
from integrations.http import Response

IDS = ["a", "b", "c"]
HOUR = MAX_WAIT_SECONDS
CALL = {"method": "POST", "url": "https://x.example/v1", "body": [{"id": "{{userid}}"}]}


def answer(document: Any, status: int = 200, **headers: str) -> Response:
    body = document.encode() if isinstance(document, str) else msgspec.json.encode(document)
    return Response(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


def kinds(outcomes: Any) -> list[type[IntegrationError] | None]:
    return [None if one is None else type(one) for one in outcomes]


# ── waiting ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("value", "wait"),
    [("7", 7), ("0", 0), ("-3", 0), ("1.5", 1.5), ("9" * 400, HOUR), ("1e9", HOUR), ("nan", None), ("soon", None)],
)
def test_wait__in_seconds__is_bounded(value: str, wait: float | None) -> None:
    assert retry_after(value) == wait


@pytest.mark.parametrize("form", ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y"])
def test_wait__until_a_date_of_each_form__is_the_time_until_then(form: str) -> None:
    then = time.strftime(form, time.gmtime(time.time() + 90))
    assert 85 < (retry_after(then) or 0) <= 90


def test_wait__of_a_platform_whose_clock_is_wrong__is_read_by_its_own_date() -> None:
    assert retry_after("Thu, 01 Jan 1970 00:00:30 GMT", "Thu, 01 Jan 1970 00:00:10 GMT") == 20


# ── conditions ───────────────────────────────────────────────────────────────────────────────────────


def connector(**more: Any) -> HttpConnector:
    settings = {"add": CALL, "removal": "none", **more}
    HttpConnector.validate_settings(settings)
    return HttpConnector(settings, {})


ANSWERS = [
    {"status": 400, "contains": "QUOTA", "means": "limited", "after": 60},
    {"status": [404, 410], "when": "code == 'NO_USER'", "means": "refused_row", "reason": "message"},
    {"status": "4xx", "means": "refused_all"},
    {"status": "5xx", "contains": "busy", "means": "retry"},
    {"status": 200, "when": "state == 'late'", "means": "retry"},
    {"status": 200, "when": "state == 'off'", "means": "broken"},
]


@pytest.mark.parametrize(
    ("given_", "kind", "words"),
    [
        (answer("the quota is used up", 400), RateLimitedError, "quota"),
        (answer({"code": "NO_USER", "message": "who?"}, 410), RowRefusedError, "HTTP 410: who?"),
        (answer({"code": "NO_LIST"}, 404), SegmentRefusedError, "NO_LIST"),
        (answer("<html>busy</html>", 503), RetriableError, "busy"),
        (answer({"state": "late"}), BusyError, "late"),
        (answer({"state": "off"}), MisconfiguredError, "off"),
        (answer("no", 500), RetriableError, "HTTP 500"),
    ],
)
def test_conditions__the_first_that_holds_decides(given_: Response, kind: type[IntegrationError], words: str) -> None:
    ready = connector(answers=ANSWERS)
    assert not ready.succeeded(given_)
    found = ready.failure(given_)
    assert type(found) is kind
    assert words in str(found)


def test_condition__that_limits__waits_as_the_answer_says_or_as_the_platform_does() -> None:
    ready = connector(answers=ANSWERS)
    waits = [ready.failure(answer("quota", 400, **headers)) for headers in ({}, {"retry_after": "5"})]
    assert [one.retry_after for one in waits if isinstance(one, RateLimitedError)] == [60, 5]


@pytest.mark.parametrize("means", ["accepted", "exists"])
def test_condition__that_accepts__is_a_success_whatever_the_status(means: str) -> None:
    ready = connector(answers=[{"status": 409, "contains": "already", "means": means}], success="ok")
    assert ready.succeeded(answer("already there", 409))
    assert not ready.succeeded(answer("in progress", 409))


@pytest.mark.parametrize(
    "one",
    [
        {"means": "accepted"},
        {"means": "lost", "status": 400},
        {"means": "retry", "status": "40x"},
        {"means": "retry", "status": 99},
        {"means": "retry", "when": "a["},
        {"means": "retry", "status": 400, "after": 3},
        {"means": "retry", "status": 400, "unknown": 1},
    ],
)
def test_condition__that_cannot_work__is_refused_when_it_is_saved(one: dict[str, Any]) -> None:
    with pytest.raises(Exception, match=r"settings|answers"):
        connector(answers=[one])


@given(st.binary(max_size=200), st.integers(100, 599))
def test_conditions__of_any_answer__give_an_error_that_says_what_to_do(body: bytes, status: int) -> None:
    made = [msgspec.convert(one, AnswerCondition) for one in ANSWERS]
    found = conditions.first_that_holds(made, Response(status, {}, body))
    if found is not None:
        assert isinstance(conditions.failure(found, Response(status, {}, body)), IntegrationError)


# ── each row ─────────────────────────────────────────────────────────────────────────────────────────

BY_ID = ItemResults(list="r", id="u", status="s", reason="m")


def test_items__by_id_in_any_order__are_each_rows_own() -> None:
    found = items.read(BY_ID, IDS, answer({"r": [{"u": "c", "s": 201}, {"u": "a", "s": "422", "m": "no"}]}))
    assert kinds(found) == [RefusedError, BusyError, None]
    assert "no" in str(found[0])


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (200, None),
        (204, None),
        (400, RefusedError),
        (401, RefusedError),
        (404, RefusedError),
        (409, BusyError),
        (413, RefusedError),
        (429, RateLimitedError),
        (500, BusyError),
        (503, BusyError),
        (None, RefusedError),
    ],
)
def test_item__of_each_status__means_what_an_answer_of_it_means(status: int | None, kind: type | None) -> None:
    results = [{"u": one, "s": status} for one in IDS]
    assert kinds(items.read(BY_ID, IDS, answer({"r": results}))) == [kind] * 3


def test_item__that_is_to_be_sent_again__waits_as_the_answer_asks() -> None:
    found = items.read(BY_ID, ["a"], answer({"r": [{"u": "a", "s": 503}]}, 207, retry_after="9"))
    assert isinstance(found[0], RateLimitedError)
    assert found[0].retry_after == 9


def test_items__that_are_errors_only__accept_the_others() -> None:
    where = ItemResults(list="errors", index="row", retry="again", missing="accepted")
    document = {"errors": [{"row": 2, "why": "x"}, {"row": 0, "again": True}, {"row": 77}]}
    assert kinds(items.read(where, IDS, answer(document))) == [BusyError, None, RefusedError]
    assert kinds(items.read(where, IDS, answer({}))) == [None] * 3


@pytest.mark.parametrize("document", [{}, {"r": {}}, {"r": "x"}, [], 5])
def test_items__without_their_list__are_nobodys_success(document: Any) -> None:
    with pytest.raises(MisconfiguredError, match="items"):
        items.read(BY_ID, IDS, answer(document))


def test_items__fewer_than_rows_and_unnamed__are_nobodys_success() -> None:
    with pytest.raises(MisconfiguredError, match="2 results for 3 rows"):
        items.read(ItemResults(list="@", status="s"), IDS, answer([{"s": 200}, {"s": 200}]))


@pytest.mark.parametrize("body", ["", "<multistatus/>", "ok"])
def test_items__of_an_answer_that_is_not_json__are_unclear(body: str) -> None:
    with pytest.raises(UnclearAnswerError):
        items.read(BY_ID, IDS, answer(body))


USUAL = [
    [{"status": 200}, {"status": 400, "error": "no"}, {"status": 503}],
    {"results": [{"id": "b", "code": 400}, {"id": "a", "code": 201}, {"id": "c", "code": 429}]},
    {
        "items": [
            {"index": {"status": 201}},
            {"index": {"status": 400, "error": {"reason": "no"}}},
            {"x": {"code": 500}},
        ]
    },
    {"status": "partial", "data": {"rows": [{"success": True}, {"success": False}, {"status": "retry"}]}},
    {"responses": [{"status": "ok"}, {"status": "Failed", "message": "no"}, {"status": "throttled"}]},
    [{"row": 2, "status": "busy"}, {"row": 1, "error": "no", "status": "error"}, {"row": 0, "status": "created"}],
]


@pytest.mark.parametrize("document", USUAL)
def test_207__in_a_usual_form__is_read(document: Any) -> None:
    accepted, refused, again = items.read_unasked(IDS, answer(document, 207))
    assert accepted is None
    assert type(refused) is RefusedError
    assert isinstance(again, RetriableError)


@pytest.mark.parametrize(
    "document",
    [
        {},
        [],
        {"status": "ok"},
        {"results": [{"status": 200}]},
        {"results": [{"status": 200}, {"status": 200}, {"what": 1}]},
        {"good": [{"status": 200}] * 3, "bad": [{"status": 400}] * 3},
        [1, 2, 3],
    ],
)
def test_207__in_any_other_form__is_nobodys_success(document: Any) -> None:
    with pytest.raises(MisconfiguredError, match="items"):
        items.read_unasked(IDS, answer(document, 207))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(st.sampled_from(["status", "id", "error", "r", "u", "s"]), inner, max_size=4)
        ),
    )
)
def test_items__of_any_document__are_one_outcome_each_or_an_error(document: Any) -> None:
    given_ = answer(document, 207)
    with suppress(IntegrationError):
        assert len(items.read(BY_ID, IDS, given_)) == len(IDS)
    with suppress(IntegrationError):
        assert len(items.read_unasked(IDS, given_)) == len(IDS)


# ── creations ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("status", "text", "exists"),
    [
        (409, "a list of this name already exists", True),
        (400, '{"error": "name is taken"}', True),
        (422, "name must be unique", True),
        (409, "in progress", False),
        (404, "the account does not exist", False),
        (400, "the parent does not exist", False),
    ],
)
def test_creation__that_was_refused__says_whether_there_is_one(status: int, text: str, exists: bool) -> None:
    assert says_it_exists(status, text) is exists


def test_meanings__that_people_choose__are_meanings() -> None:
    means = AnswerCondition.__struct_fields__
    assert "means" in means
    for one in ("accepted", "refused_row", "refused_all", "retry", "limited", "broken", "exists"):
        assert isinstance(failure(answer("x", 400), Meaning(one)), IntegrationError)
