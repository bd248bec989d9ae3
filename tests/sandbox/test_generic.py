"""The generic segment interface of 001_6c0121e2456e8832.txt."""

import pytest
import requests

from tests.support.sandbox_account import GenericAccount
from tests.support.sandbox_process import SandboxProcess


def rows(segment: object, *userids: object) -> list[dict[str, object]]:
    return [{"segment": segment, "userid": userid} for userid in userids]


def test_create__new_title__answers_as_in_the_document(foo: GenericAccount) -> None:
    answer = foo.call("POST", "title=My%20segment")
    assert answer.json() == {"status": "OK", "created": True, "segment_id": 12345}
    assert foo.held()["segments"] == {"12345": {"title": "My segment", "size": 0, "members": []}}


def test_create__same_title_again__answers_the_same_id_not_created(foo: GenericAccount) -> None:
    first = foo.create("twice")
    assert foo.call("POST", "title=twice").json() == {"status": "OK", "created": False, "segment_id": first}
    assert len(foo.held()["segments"]) == 1


def test_account__same_title_elsewhere__shares_nothing(sandbox: SandboxProcess, foo: GenericAccount) -> None:
    bar = GenericAccount(sandbox, "bar")
    mine, theirs = foo.create("same"), bar.create("same")
    assert mine != theirs
    assert foo.call("POST", f"id={theirs}&userid=u").status_code == 404
    assert bar.members(theirs) == []


@pytest.mark.parametrize(
    "auth", [None, ("foo", "wrong"), ("foo", "bar-secret"), ("", "-secret"), ("a b", "a b-secret")]
)
def test_authentication__wrong_or_missing__is_401_and_opens_no_account(
    sandbox: SandboxProcess, auth: tuple[str, str] | None
) -> None:
    answer = requests.post(sandbox.segments_url, params={"title": "x"}, auth=auth, timeout=5)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic")
    assert sandbox.state()["generic"] == {}


def test_single__add_then_remove__leaves_the_segment_empty(foo: GenericAccount) -> None:
    segment = foo.create("s")
    assert foo.call("POST", f"id={segment}&userid=a%20b%2Bc%2F%C3%A9").status_code == 200
    assert foo.members(segment) == ["a b+c/é"]
    assert foo.call("DELETE", f"id={segment}&userid=a%20b%2Bc%2F%C3%A9").status_code == 200
    assert foo.members(segment) == []


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("id=999&userid=u", 404),
        ("id={id}&userid=", 400),
        ("id={id}", 400),
        ("userid=u", 400),
        ("id=abc&userid=u", 400),
        ("id=-1&userid=u", 400),
        ("id={id}&userid=u&userid=v", 400),
        ("id={id}&userid=u&extra=1", 400),
        ("id={id}&userid=u&title=t", 400),
        ("id={id}&userid=%FF", 400),
        ("title=", 400),
        ("title=t&x=1", 400),
    ],
)
def test_single__breaks_a_rule__is_refused_and_changes_nothing(foo: GenericAccount, query: str, status: int) -> None:
    segment = foo.create("s")
    assert foo.call("POST", query.format(id=segment)).status_code == status
    held = foo.held()
    assert held["segments"] == {str(segment): {"title": "s", "size": 0, "members": []}}
    assert (held["requests"], held["rejected"]) == (2, 1)


def test_method__that_means_nothing__is_405(foo: GenericAccount) -> None:
    answer = foo.call("PUT", "title=x")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, POST, DELETE")


def test_delete__with_a_title__is_refused(foo: GenericAccount) -> None:
    foo.create("kept")
    assert foo.call("DELETE", "title=kept").status_code == 400
    assert len(foo.held()["segments"]) == 1


def test_batch__several_segments__applies_all_and_counts_them(foo: GenericAccount) -> None:
    one, two = foo.create("one"), foo.create("two")
    answer = foo.batch(rows(one, "abcdef123", "x") + rows(two, "abcdef123"))
    assert answer.json() == {"status": "OK", "mutations": 3}
    assert (foo.members(one), foo.members(two)) == (["abcdef123", "x"], ["abcdef123"])
    assert foo.batch(rows(one, "x") + rows(two, "abcdef123"), "DELETE").json()["mutations"] == 2
    assert (foo.members(one), foo.members(two)) == (["abcdef123"], [])


def test_batch__already_so__succeeds_and_is_counted_as_a_repeat(foo: GenericAccount) -> None:
    segment = foo.create("s")
    foo.add(segment, "a")
    assert foo.batch(rows(segment, "a", "b")).json()["mutations"] == 2
    assert foo.batch(rows(segment, "stranger"), "DELETE").json()["mutations"] == 1
    held = foo.held()
    assert (held["adds"], held["removes"], held["repeats"]) == (3, 1, 2)


@pytest.mark.parametrize("size", [1, 10, 1000])
def test_batch__up_to_a_thousand_rows__is_taken(foo: GenericAccount, size: int) -> None:
    segment = foo.create("s")
    assert foo.batch(rows(segment, *(f"u{n}" for n in range(size)))).json()["mutations"] == size


def test_batch__over_a_thousand_rows__is_413(foo: GenericAccount) -> None:
    segment = foo.create("s")
    assert foo.batch(rows(segment, *(f"u{n}" for n in range(1001)))).status_code == 413
    assert foo.members(segment) == []


@pytest.mark.parametrize(
    "bad",
    [
        {"segment": 999, "userid": "u"},
        {"segment": "12345", "userid": "u"},
        {"segment": 12345.5, "userid": "u"},
        {"segment": True, "userid": "u"},
        {"segment": None, "userid": "u"},
        {"segment": 12345, "userid": 7},
        {"segment": 12345, "userid": ""},
        {"segment": 12345, "userid": None},
        {"segment": 12345, "userid": "[[USERID]]"},
        {"segment": 12345, "userid": "good"},
        {"segment": 12345, "userid": "u", "extra": 1},
        {"segment": 12345},
        {"userid": "u"},
        [],
        "u",
    ],
)
@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_batch__one_bad_row__names_it_and_applies_nothing(foo: GenericAccount, bad: object, method: str) -> None:
    foo.create("s")
    foo.add(12345, "before")
    answer = foo.batch([*rows(12345, "good", "before"), bad], method)
    assert answer.status_code == 400
    assert [row["row"] for row in answer.json()["rows"]] == [2]
    assert foo.members(12345) == ["before"]
    assert foo.held()["rejected"] == 1


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"{}",
        b"7",
        b'[{"segment":12345,',
        b'[{"segment":12345,"userid":"\\ud800"}]',
        b"\xff",
        b"[" * 20_000,
    ],
)
def test_batch__not_a_list_of_rows__is_400(foo: GenericAccount, body: bytes) -> None:
    foo.create("s")
    headers = {"Content-Type": "application/json"}
    assert foo.call("POST", data=body, headers=headers).status_code == 400
    assert foo.members(12345) == []


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    ],
)
def test_batch__wrong_content_type__is_415(foo: GenericAccount, headers: dict[str, str]) -> None:
    foo.create("s")
    answer = foo.call("POST", data=b'[{"segment":12345,"userid":"u"}]', headers=headers)
    assert answer.status_code == 415
    assert foo.members(12345) == []


def test_batch__charset_named__is_taken(foo: GenericAccount) -> None:
    foo.create("s")
    headers = {"Content-Type": "application/json; charset=utf-8"}
    assert foo.call("POST", data=b'[{"segment":12345,"userid":"u"}]', headers=headers).status_code == 200


def test_batch__with_parameters_beside_the_body__is_refused(foo: GenericAccount) -> None:
    foo.create("s")
    assert foo.call("POST", "id=12345&userid=u", json=rows(12345, "v")).status_code == 400
    assert foo.members(12345) == []
