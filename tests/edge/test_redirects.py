"""Chains of redirects over HTTP: edge → platform → edge → next platform."""

from urllib.parse import parse_qsl, urlsplit

import pytest

from core.inbox import InboxKind
from edge.responses import GIF
from tests.support.edge_client import COMMON
from tests.support.sync_sites import CUSTOMER, Hop, Sites, Visitor

USER = "6f6f1c1e-9d0b-4c7e-8a7e-0123456789ab"
SIGNED = "{sandbox}/signed-sync/{account}?out={{{{callback}}}}"
MATHTAG = "{sandbox}/mathtag/{account}/sync/js?exsync={{{{callback:[MM_UUID]&dc=[MT_DC]}}}}"
MATHTAG_IMAGE = "{sandbox}/mathtag/{account}/sync/img?redir={{{{callback:[MM_UUID]&dc=[MT_DC]}}}}"
SEED = (
    "{sandbox}/sync/{account}?out=http://127.0.0.1:{{port}}/uid?userid=[[USERID]]"
    "&pl=<platformId:integer>&plsec=<secureToken:string>"
)


def _known(sites: Sites) -> Visitor:
    visitor = Visitor()
    visitor.cookies[urlsplit(sites.edge_url).netloc]["dmpuid"] = USER
    return visitor


def _names(hops: list[Hop]) -> list[str]:
    return [hop.name for hop in hops if hop.name]


def test_dp__image_with_our_cookie__matches_five_platforms_one_after_another(sites: Sites) -> None:
    platforms = [sites.platform() for _ in range(7)]
    pixel = sites.pixel(*platforms, priorities=(7, 6, 5, 4, 3, 2, 1))
    visitor = _known(sites)
    hops = visitor.open(sites.address("/dp", pixel, "&t=gif"))
    assert _names(hops) == ["accepted"] + ["stored"] * 5
    assert (hops[-1].status, hops[-1].body) == (200, GIF)
    assert all(COMMON.items() <= hop.headers.items() for hop in hops if hop.name)
    mapped = sites.mapped()
    assert list(mapped) == platforms[:5]
    for pl in platforms[:5]:
        assert mapped[pl] == (USER, sites.sandbox.state(str(pl))["sync"][str(pl)]["ids"][0])

    again = visitor.open(sites.address("/dp", pixel, "&t=gif"))
    assert _names(again) == ["accepted", "stored", "stored"]
    assert list(sites.mapped()) == platforms
    assert _names(visitor.open(sites.address("/dp", pixel, "&t=gif"))) == ["accepted"]


def test_dp__first_visit__syncs_once_the_cookie_is_confirmed(sites: Sites) -> None:
    pixel = sites.pixel(sites.platform(), sites.platform())
    hops = Visitor().open(sites.address("/dp", pixel, "&t=gif"))
    assert _names(hops) == ["cookie-check", "confirmed", "stored", "stored"]
    (event,) = sites.stored(InboxKind.EVENT)
    assert {user for user, _ in sites.mapped().values()} == {event["user"]}


@pytest.mark.parametrize("query", ["&t=gif&_check=1", "&t=js", ""])
@pytest.mark.parametrize("known", [True, False])
def test_dp__switched_off_or_script__starts_nothing(sites: Sites, query: str, *, known: bool) -> None:
    pixel = sites.pixel(sites.platform())
    visitor = _known(sites) if known else Visitor()
    hops = visitor.open(sites.address("/dp", pixel, query))
    assert _names(hops) == (["accepted"] if known else ["cookie-check", "confirmed"])
    assert sites.mapped() == {}


def test_dp__without_our_cookie__starts_nothing(sites: Sites) -> None:
    pixel = sites.pixel(sites.platform())
    reply = sites.edge.client.get("/dp", {"m": CUSTOMER, "id": pixel, "t": "gif", "uuid": USER})
    assert (reply.status, reply.name, reply.body) == (200, "accepted", GIF)
    assert "set-cookie" not in reply.headers


def test_chain__platform_that_signs_and_one_as_the_document_writes_it__are_matched(sites: Sites) -> None:
    signed = sites.platform(SIGNED, sync_auth="signed")
    written = sites.platform(SEED.replace("{{port}}", str(sites.edge.port)))
    pixel = sites.pixel(signed, written)
    signals = "&gdpr=0&gdpr_consent=CPx-_.Y&us_privacy=1YNN&gpp=DBABTA~1YNN&gpp_sid=6"
    hops = _known(sites).open(sites.address("/dp", pixel, f"&t=gif{signals}"))
    assert _names(hops) == ["accepted", "stored", "stored"]
    assert sites.mapped().keys() == {signed, written}
    for hop in hops:
        if urlsplit(hop.url).path == "/uid":
            told = dict(parse_qsl(urlsplit(hop.url).query))
            assert dict(parse_qsl(signals)).items() <= told.items()


def test_chain__platform_that_needs_a_script__is_left_to_the_script(sites: Sites) -> None:
    script, image = sites.platform(MATHTAG, sync_tag="js"), sites.platform(MATHTAG_IMAGE)
    pixel = sites.pixel(script, image, priorities=(2, 1))
    hops = _known(sites).open(sites.address("/dp", pixel, "&t=gif"))
    assert _names(hops) == ["accepted", "stored"]
    assert not any("/sync/js" in hop.url for hop in hops)
    (row,) = sites.stored(InboxKind.SYNC)
    assert (row["platform"], row["extra"]) == (image, {"dc": "ewr"})


def test_chain__platform_does_not_know_the_user__goes_on(sites: Sites) -> None:
    nobody = sites.platform("{sandbox}/sync/{account}?as=0&out={{{{callback}}}}")
    other = sites.platform()
    pixel = sites.pixel(nobody, other, priorities=(2, 1))
    assert _names(_known(sites).open(sites.address("/dp", pixel, "&t=gif"))) == ["accepted", "no-id", "stored"]


def test_chain__refused_sync__redirects_nowhere(sites: Sites) -> None:
    unfit = sites.platform("{sandbox}/sync/{account}?as=[UID]&out={{{{callback}}}}")
    other = sites.platform()
    pixel = sites.pixel(unfit, other, priorities=(2, 1))
    visitor = _known(sites)
    hops = visitor.open(sites.address("/dp", pixel, "&t=gif"))
    assert _names(hops) == ["accepted", "bad-userid"]
    assert not {"location", "set-cookie"} & hops[-1].headers.keys()
    assert _names(visitor.open(sites.address("/dp", pixel, "&t=gif"))) == ["accepted", "stored"]


def test_chain__consent_required__goes_on_with_the_signals_of_its_start(sites: Sites) -> None:
    platforms = [sites.platform(), sites.platform(SIGNED, sync_auth="signed"), sites.platform()]
    pixel = sites.pixel(*platforms)
    with sites.consent_required():
        told = _known(sites).open(sites.address("/dp", pixel, "&t=gif&gdpr=0"))
        new = Visitor().open(sites.address("/dp", pixel, "&t=gif&us_privacy=1YNN"))
    assert _names(told) == ["accepted", "stored", "stored", "stored"]
    assert _names(new) == ["cookie-check", "confirmed", "stored", "stored", "stored"]


def test_chain__user_does_not_want_it__starts_nothing(sites: Sites) -> None:
    pixel = sites.pixel(sites.platform())
    visitor = _known(sites)
    assert _names(visitor.open(sites.address("/dp", pixel, "&t=gif&us_privacy=1YYN"))) == ["consent-denied"]
    visitor.cookies[urlsplit(sites.edge_url).netloc]["dmpopt"] = "1"
    assert _names(visitor.open(sites.address("/dp", pixel, "&t=gif"))) == ["opted-out"]


def test_chain__sync_that_the_chain_did_not_start__does_not_lead_on(sites: Sites) -> None:
    first, second, stranger = sites.platform(), sites.platform(), sites.platform()
    pixel = sites.pixel(first, second, priorities=(2, 1))
    start = sites.edge.client.get("/dp", {"m": CUSTOMER, "id": pixel, "t": "gif"}, cookie=USER)
    under_way = start.headers["set-cookie"].partition(";")[0]
    for pl, status in ((stranger, 200), (first, 302)):
        address = f"/uid?userid=abc&pl={pl}&plsec={pl}-secret"
        reply = sites.edge.client.send("GET", address, headers={"Cookie": f"dmpuid={USER}; {under_way}"})
        assert (reply.status, reply.name) == (status, "stored")


@pytest.mark.parametrize(
    "cookie", ["", "1", "x" * 3000, "1.0-00000000", "2.1-6b49d200", "1_1-4-ffffffff", "1_1-9-00000000", "1.1-6b49d2"]
)
def test_chain__tampered_cookie__counts_as_none(sites: Sites, cookie: str) -> None:
    pl = sites.platform()
    pixel = sites.pixel(pl)
    visitor = _known(sites)
    visitor.cookies[urlsplit(sites.edge_url).netloc]["dmpsync"] = cookie
    uid = f"{sites.edge_url}/uid?userid=abc&pl={pl}&plsec={pl}-secret"
    assert [hop.status for hop in visitor.open(uid)] == [200]
    sites.forget()
    assert _names(visitor.open(sites.address("/dp", pixel, "&t=gif"))) == ["accepted", "stored"]


@pytest.mark.parametrize("whose", ["its own", "another"])
def test_chain__nothing_left_to_try__ends(sites: Sites, whose: str) -> None:
    first, second = sites.platform(), sites.platform()
    pixel = sites.pixel(first, second, priorities=(2, 1))
    visitor = _known(sites)
    assert _names(visitor.open(sites.address("/dp", pixel, "&t=gif")))[1:] == ["stored", "stored"]
    cookies = visitor.cookies[urlsplit(sites.edge_url).netloc]
    chain = f"_{pixel if whose == 'its own' else 2**31 - 1:x}-1-{cookies['dmpsync'].rpartition('-')[2]}"
    cookies["dmpsync"] += chain
    sites.forget()
    uid = f"{sites.edge_url}/uid?userid=abc&pl={first}&plsec={first}-secret"
    assert [hop.status for hop in visitor.open(uid)] == [200]
    assert (chain in cookies["dmpsync"]) == (whose == "another")


def test_uid__of_a_script__is_answered_with_a_script(sites: Sites) -> None:
    pl = sites.platform()
    sites.pixel(pl)
    fields = {"userid": "abc", "pl": pl, "plsec": f"{pl}-secret"}
    reply = sites.edge.client.get("/uid", {**fields, "t": "js"}, cookie=USER)
    assert (reply.status, reply.name, reply.body) == (200, "stored", b"")
    assert reply.headers["content-type"].startswith("application/javascript")
    assert sites.edge.client.get("/uid", {**fields, "t": "png"}, cookie=USER).name == "bad-t"


@pytest.mark.parametrize("signal", ["gdpr", "gdpr_consent", "us_privacy", "gpp", "gpp_sid"])
def test_consent_signal__repeated__is_refused(sites: Sites, signal: str) -> None:
    pl = sites.platform()
    pixel = sites.pixel(pl)
    twice = f"&{signal}=1&{signal}=1"
    for path in (f"/dp?m={CUSTOMER}&id={pixel}", f"/uid?userid=a&pl={pl}&plsec={pl}-secret"):
        reply = sites.edge.client.send("GET", path + twice, cookie=USER)
        assert (reply.status, reply.name) == (400, f"bad-{signal}")
