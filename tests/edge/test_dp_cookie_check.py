"""The cookie check of `/dp`: an id counts once a browser has brought it back."""

import uuid
from urllib.parse import quote, urlsplit

import pytest

from core import buckets
from core.inbox import InboxKind
from edge.responses import GIF
from tests.support.edge_process import CUSTOMER, DP, OTHER_CUSTOMER, OTHER_PIXEL, PIXEL, EdgeProcess, RunningEdge, until

USER = "6f6f1c1e-9d0b-4c7e-8a7e-0123456789ab"


def test_dp__nobody_known__keeps_the_data_under_a_new_id_and_confirms_it_when_it_comes_back(edge: RunningEdge) -> None:
    reply = edge.client.get("/dp", {**DP, "t": "gif", "data": '{"a":1}', "_geo_c": "DEU"})
    assert (reply.status, reply.name) == (302, "cookie-check")
    assert reply.headers["set-cookie"] == (
        f"dmpuid={reply.cookie}; Path=/; Max-Age=33696000; Secure; HttpOnly; SameSite=None"
    )
    row = edge.only_row()
    assert (row.message["user"], row.message.get("confirmed")) == (reply.cookie, None)
    assert (row.bucket, row.body) == (buckets.of_user(uuid.UUID(reply.cookie)), b'{"a":1}')

    location = reply.headers["location"]
    back = urlsplit(location)
    assert (back.path, back.query.split("&_ck=")[0]) == ("/dp", f"m={CUSTOMER}&id={PIXEL}&t=gif")
    confirmed = edge.client.send("GET", location, cookie=reply.cookie)
    assert (confirmed.status, confirmed.name, confirmed.body) == (200, "confirmed", GIF)
    confirm = edge.rows()[1]
    assert (confirm.kind, confirm.bucket, confirm.body) == (InboxKind.CONFIRM, row.bucket, None)
    del confirm.message["at"]
    assert confirm.message == {"customer": CUSTOMER, "user": reply.cookie}


def test_dp__known_by_another_id_only__keeps_the_data_there_and_links_when_confirmed(edge: RunningEdge) -> None:
    reply = edge.client.post("/dp", {**DP, "devid_g": "phone"}, '{"UserId": "ü1"}'.encode())
    assert (reply.status, reply.name) == (302, "cookie-check")
    row = edge.only_row()
    assert row.bucket == buckets.of_value("ü1")
    assert "user" not in row.message
    assert row.message["ids"] == [["user", "ü1"], ["device:devid_g", "phone"]]

    edge.client.send("GET", reply.headers["location"], cookie=reply.cookie)
    confirm = edge.rows()[1].message
    assert (confirm["user"], confirm["ids"]) == (reply.cookie, row.message["ids"])


@pytest.mark.parametrize("cookie", [None, USER])
def test_dp__cookie_check_without_the_cookie_given__stores_nothing_more(edge: RunningEdge, cookie: str | None) -> None:
    location = edge.client.get("/dp", DP).headers["location"]
    reply = edge.client.send("GET", location, cookie=cookie)
    assert (reply.status, reply.name) == (200, "no-cookie")
    assert "set-cookie" not in reply.headers
    assert len(edge.rows()) == 1


def test_dp__cookie_check_by_another_edge_process__is_confirmed(edge: RunningEdge, database_url: str) -> None:
    reply = edge.client.get("/dp", DP)
    with EdgeProcess(database_url) as other:
        until(other.ready)
        assert other.client.send("GET", reply.headers["location"], cookie=reply.cookie).name == "confirmed"


@pytest.mark.parametrize("altered", ["", "x", "AAAA", "é", "%ff", None])
def test_dp__reference_altered__is_refused(edge: RunningEdge, altered: str | None) -> None:
    first = edge.client.get("/dp", DP)
    start, _, reference = first.headers["location"].partition("_ck=")
    edge.database.execute("DELETE FROM inbox")
    text = quote(altered, safe="%") if altered is not None else reference[:-1] + chr(ord(reference[-1]) ^ 1)
    edge.check_refused(edge.client.send("GET", f"{start}_ck={text}", cookie=first.cookie), 400, "bad-_ck")


def test_dp__reference_of_another_customer__is_refused(edge: RunningEdge) -> None:
    first = edge.client.get("/dp", DP)
    reference = first.headers["location"].partition("_ck=")[2]
    edge.database.execute("DELETE FROM inbox")
    fields = {"m": OTHER_CUSTOMER, "id": OTHER_PIXEL, "_ck": reference}
    edge.check_refused(edge.client.get("/dp", fields, cookie=first.cookie), 400, "bad-_ck")


def test_dp__without_check__is_accepted_at_once_with_a_cookie(edge: RunningEdge) -> None:
    reply = edge.client.get("/dp", {**DP, "t": "gif", "_nr": 1})
    assert (reply.status, reply.name, reply.body) == (200, "accepted", GIF)
    message = edge.only_row().message
    assert (message["user"], message.get("confirmed")) == (reply.cookie, None)


def test_dp__without_check_but_known_otherwise__is_kept_there(edge: RunningEdge) -> None:
    reply = edge.client.get("/dp", {**DP, "_nr": 1, "data": '{"UserId": 1}'})
    assert reply.cookie is not None
    assert "user" not in edge.only_row().message
