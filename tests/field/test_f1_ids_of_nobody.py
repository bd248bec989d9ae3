"""F1 to F4, F6, F30: what stands where an id should be, and names nobody."""

import hashlib
import json
from typing import Any

import pytest

from profiles import attribute_catalogue
from profiles.attribute_sampling import sampler
from tests.support.edge_process import CUSTOMER, TOKEN_PLATFORM, TOKENS
from tests.support.field import Field

ZERO_GUID = "00000000-0000-0000-0000-000000000000"
WORDS = [
    *(
        "undefined",
        "null",
        "NULL",
        "None",
        "nil",
        "NaN",
        "n/a",
        "unknown",
        "guest",
        "Anonymous",
        "[object Object]",
        "\\N",
    ),
    *("#N/A", " undefined ", '"null"', "user_undefined", "0.0", "0000", "-", "2147483647", "1111111111", ZERO_GUID),
    *("ffffffff-ffff-ffff-ffff-ffffffffffff", "function () { return id }", "4.71E+12", "\uff4e\uff55\uff4c\uff4c"),
]
MACROS = [
    *("[[USERID]]", "${USER_ID}", "{{user.id}}", "%%VGUID%%", "[PBS_UID]", "<vsid>", "__IDFA__", "$UID", "@@UID@@"),
    *(
        "#{uid}",
        "*|UID|*",
        "{$UID}",
        "%24%7BUID%7D",
        "%255B%255BUSERID%255D%255D",
        "&lt;vsid&gt;",
        "x-${never_heard_of}",
    ),
    *("${VISITOR_ID}", "##VIEWER_TOKEN##", "%DEVICE_ID%", "[sas_uid]", "<%= uid %>", "$!{uid}"),
]


def hashes(text: str) -> list[str]:
    raw = text.encode()
    return [hashlib.new(name, raw, usedforsecurity=False).hexdigest() for name in ("sha1", "md5", "sha256")]


def test_f1__words_for_nobody_as_user_key__name_nobody_and_the_rest_is_kept(field: Field) -> None:
    sent: list[Any] = [*WORDS, *hashes(""), *hashes("null"), 0, -1, 0.0]
    browsers = {}
    for value in sent:
        pair = (field.browser(), field.browser())
        browsers[str(value)] = pair
        for cookie in pair:
            assert field.send(cookie, {"UserId": value, "City": "Rome"}).name == "accepted"
    field.absorb()

    for value, pair in browsers.items():
        assert field.people(pair) == set(pair), value
        assert field.ids(pair[0]) == set(), value
    assert field.story(pair[0])["attributes"]["City"] == "Rome"


def test_f2__macros_left_in__name_nobody(field: Field) -> None:
    pairs = [(field.browser(), field.browser()) for _ in MACROS]
    for macro, pair in zip(MACROS, pairs, strict=True):
        for cookie in pair:
            assert field.send(cookie, {"UserId": macro}, devid_g=macro, pl=12, euid=macro).name == "accepted"
    field.absorb()

    cookies = [cookie for pair in pairs for cookie in pair]
    assert field.people(cookies) == set(cookies)


def test_f2__line_of_a_batch_named_by_a_macro__is_refused_and_says_so(field: Field) -> None:
    known = field.browser()
    answer = field.send_batch(
        [
            {"user": "[[USERID]]", "data": {"City": "Rome"}},
            {"user": "C-1", "data": {"City": "Rome"}},
            {"uuid": known, "user": "[[USERID]]", "data": {"City": "Rome"}},
            {"data": {"UserId": "undefined"}},
        ]
    )
    assert [(one["line"], "names nobody" in json.dumps(one)) for one in answer["errors"]] == [(1, True), (4, True)]
    field.absorb()
    assert field.story(known)["attributes"]["City"] == "Rome"
    assert field.ids(known) == set()


def test_f3__visitor_whose_tag_says_undefined__is_who_logs_in_later(field: Field) -> None:
    visitor, stranger = field.browser(), field.browser()
    field.send(visitor, {"UserId": "undefined", "Seen": "shoes"})
    field.send(stranger, {"UserId": "undefined", "Seen": "hats"})
    field.absorb()
    field.send(visitor, {"UserId": "C-2"})
    field.absorb()

    story = field.story(visitor)
    assert story["attributes"]["Seen"] == "shoes"
    assert field.ids(visitor) == {("user", "C-2")}
    assert field.ids(stranger) == set()


def test_f4__seventy_browsers_say_undefined__are_seventy(field: Field) -> None:
    browsers = [field.browser() for _ in range(70)]
    for cookie in browsers:
        field.send(cookie, {"UserId": "undefined"})
    field.absorb()

    assert field.people(browsers) == set(browsers)


def test_f1__ids_that_were_left_out__are_counted_and_shown(field: Field) -> None:
    sampler.discard()
    for value in ("undefined", "undefined", "${UID}", "4.71E+12"):
        field.send(field.browser(), {"UserId": value}, devid_g="0000")
    field.absorb()
    for customer, sample in sampler.samples.items():
        attribute_catalogue.flush(customer, sample)
    sampler.discard()

    shown = field.api.get(f"attributes/summary/?customer={CUSTOMER}").body["nobody"]
    assert {(row["kind"], row["why"], row["times"], *row["examples"]) for row in shown} == {
        ("device:devid_g", "placeholder", 4, "0000"),
        ("user", "word", 2, "undefined"),
        ("user", "macro", 1, "${UID}"),
        ("user", "broken", 1),
    }


@pytest.mark.parametrize("parameter", ["devid_a", "devid_g", "idsha1", "idmd5"])
def test_f6__devices_of_nobody__name_nobody(field: Field, parameter: str) -> None:
    sent = ["undefined", "NULL", "unknown", "__IDFA__", ZERO_GUID, "1111", *hashes(""), *hashes(ZERO_GUID)]
    browsers = [field.browser() for _ in sent * 2]
    for cookie, value in zip(browsers, sent * 2, strict=True):
        assert field.send(cookie, None, **{parameter: value}).name == "accepted"
    field.absorb()

    assert field.people(browsers) == set(browsers)
    assert field.ids(browsers[0]) == set()


def test_f30__macros_at_user_sync__are_refused(field: Field) -> None:
    for macro in MACROS:
        reply = field.edge.client.get("/uid", _sync(macro), cookie=field.browser())
        assert (reply.status, reply.name) == (400, "bad-userid"), macro
    assert field.edge.rows() == []


def test_f30__words_for_nobody_at_user_sync__are_no_ids(field: Field) -> None:
    for word in [*WORDS, *hashes("")]:
        reply = field.edge.client.get("/uid", _sync(word), cookie=field.browser())
        assert (reply.status, reply.name) == (200, "no-id"), word
    assert field.edge.rows() == []


def _sync(userid: str) -> dict[str, object]:
    return {"userid": userid, "pl": TOKEN_PLATFORM, "plsec": TOKENS[0]}
