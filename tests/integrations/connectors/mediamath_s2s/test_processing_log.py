"""The processing log, in whatever shape it comes: what it says of which file."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.connectors.files import FileStatus
from integrations.connectors.mediamath_s2s import processing_log
from integrations.connectors.mediamath_s2s.connector import MediaMathS2S
from integrations.errors import RefusedError
from integrations.http import Response

NAME = "ExamplePartner_201407302300.log.gz"
SETTINGS = {"partner": "ExamplePartner", "segment_namespace": "ep", "log_url": "https://log.example/s2s?v=1"}
READY = MediaMathS2S(SETTINGS, {"username": "ep", "password": "s3cret"})


def read(document: Any) -> list[tuple[str, str, str]]:
    found, _ = READY.read_log(Response(200, {}, json.dumps(document).encode()))
    return [(verdict.file_name, verdict.status, verdict.reason) for verdict in found]


def test_log__is_asked_with_the_same_user_and_an_offset() -> None:
    request = READY.log_request(40)
    assert request is not None
    assert (request.method, request.url) == ("GET", "https://log.example/s2s?v=1&offset=40")
    assert request.basic == ("ep", "s3cret")
    assert MediaMathS2S({**SETTINGS, "log_url": ""}, {"username": "a", "password": "b"}).log_request(0) is None


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ([{"file": NAME, "status": "processed"}], [(NAME, FileStatus.PROCESSED, "")]),
        ({"offset": 0, "results": [{"filename": f"/in/{NAME}", "state": "OK"}]}, [(NAME, FileStatus.PROCESSED, "")]),
        (
            {"data": [{"FileIdentifier": NAME, "status": "REJECTED", "errors": [{"line": 9, "error": "bad id"}, "x"]}]},
            [(NAME, FileStatus.REFUSED, "line 9: bad id; x")],
        ),
        (
            {"offset": 0, "total": 1, "results": [{"file": NAME, "status": "refused", "line": 9, "error": "bad id"}]},
            [(NAME, FileStatus.REFUSED, "line 9: bad id")],
        ),
        ([{"file": NAME, "status": "processed", "line": None, "error": None}], [(NAME, FileStatus.PROCESSED, "")]),
        ([{"file": NAME, "success": False, "reason": "no blank line"}], [(NAME, FileStatus.REFUSED, "no blank line")]),
        ([{"file": NAME, "status": "processing"}], [(NAME, FileStatus.WAITING, "")]),
        ([{"file": NAME}, {"file": "other.txt", "status": "ok"}, 7, None], [(NAME, FileStatus.WAITING, "")]),
        ({"file": NAME, "status": "completed", "more": {"x": 1}}, [(NAME, FileStatus.PROCESSED, "")]),
        ([], []),
        ({}, []),
        (7, []),
    ],
)
def test_log__is_read_leniently(document: Any, expected: list[tuple[str, str, str]]) -> None:
    assert read(document) == expected


def test_log__that_is_no_json_is_a_clear_error() -> None:
    with pytest.raises(RefusedError, match="not JSON"):
        READY.read_log(Response(200, {}, b"<html>"))


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=8), st.just(NAME)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["status", "errors", "line", "file", "x"]), inner, max_size=4),
    ),
    max_leaves=10,
)


@given(json_values)
def test_any_json__is_read(document: Any) -> None:
    verdicts, entries = processing_log.read(Response(200, {}, json.dumps(document).encode()))
    assert len(verdicts) <= entries
    assert all(verdict.file_name == NAME for verdict in verdicts)
