"""The pixel's tag in a real Chromium: a shop on one host, the hub on another, platforms on a third."""

import pytest
from django.test import override_settings

from core.inbox import InboxKind
from profiles.models import Pixel
from tests.support.browser import Browser, Site, find_browser
from tests.support.edge_process import METRICS_TOKEN, until
from tests.support.sync_sites import CUSTOMER, Sites

SYNC = "{sandbox}/sync/{account}?out={{{{callback}}}}"
SIGNED = "{sandbox}/signed-sync/{account}?out={{{{callback}}}}"
MATHTAG = "{sandbox}/mathtag/{account}/sync/js?exsync={{{{callback:[MM_UUID]&dc=[MT_DC]}}}}"
SECONDS = 60


@pytest.fixture(scope="module", autouse=True)
def _browser() -> None:
    find_browser()


def _platform(sites: Sites, template: str = SYNC, **fields: object) -> int:
    """One on a host of its own."""
    return sites.platform(template.replace("{sandbox}", sites.sandbox.url.replace("127.0.0.1", "localhost")), **fields)


def _tag(sites: Sites, pixel: int) -> str:
    with override_settings(EDGE_URL=sites.edge_url):
        return Pixel(id=pixel, customer_id=CUSTOMER, name="shop").tag


def _answered(sites: Sites, route: str, status: str = "") -> int:
    """How often the edge has answered so; with any status, where none is given."""
    headers = {"Authorization": f"Bearer {METRICS_TOKEN}"}
    text = sites.edge.client.send("GET", "/metrics", headers=headers).body.decode()
    start = f'dmphub_edge_answers_total{{route="{route}",status="{status}'
    return sum(round(float(line.rpartition(" ")[2])) for line in text.splitlines() if line.startswith(start))


def test_page__with_the_tag__matches_five_platforms_one_after_another_once_it_has_loaded(sites: Sites) -> None:
    platforms = [
        _platform(sites),
        _platform(sites, SIGNED, sync_auth="signed"),
        _platform(sites, MATHTAG, sync_tag="js"),
        *(_platform(sites) for _ in range(4)),
    ]
    pixel = sites.pixel(*platforms, priorities=(7, 6, 5, 4, 3, 2, 1))
    asked = _answered(sites, "/sync")
    sites.sandbox.faults(target=f"sync/{platforms[0]}", delay=0.5)  # whoever does not wait for it comes first
    with Site(_tag(sites, pixel)) as site, Browser(site.url):
        until(lambda: len(sites.stored(InboxKind.CONFIRM)) == 1, SECONDS)
        until(lambda: ("interactive", "dmpsync") in site.told[:-4], SECONDS)
        assert _answered(sites, "/sync") == asked
        site.release()
        until(lambda: len(sites.mapped()) == 5, SECONDS)
        until(lambda: ("complete", "dmpsync") in site.told, SECONDS)
        assert {names for _, names in site.told} <= {"", "dmpsync"}

        (user,) = {row["user"] for row in sites.stored(InboxKind.CONFIRM)}
        mapped = sites.mapped()
        assert next(iter(mapped)) == platforms[0]
        assert set(mapped) == set(platforms[:5])
        assert {owner for owner, _ in mapped.values()} == {user}
        assert mapped[platforms[0]][1] in sites.sandbox.state()["sync"][str(platforms[0])]["ids"]
        (extra,) = [row["extra"] for row in sites.stored(InboxKind.SYNC) if "extra" in row]
        assert extra == {"dc": "ewr"}

        site.reload()
        until(lambda: len(sites.mapped()) == 7, SECONDS)
        assert {owner for owner, _ in sites.mapped().values()} == {user}


def test_page__scripts_blocked__matches_by_the_image(sites: Sites) -> None:
    platforms = [_platform(sites) for _ in range(5)]
    script = _platform(sites, MATHTAG, sync_tag="js")
    pixel = sites.pixel(script, *platforms)
    with Site(_tag(sites, pixel)) as site, Browser(site.url, scripts=False):
        site.release()
        until(lambda: len(sites.mapped()) == 5, SECONDS)
        assert site.told == []
    assert set(sites.mapped()) == set(platforms)


def test_page__platform_hangs_up__does_not_keep_the_others(sites: Sites) -> None:
    broken, whole = _platform(sites), _platform(sites)
    pixel = sites.pixel(broken, whole, priorities=(2, 1))
    sites.sandbox.faults(target=f"sync/{broken}", drop=True)
    with Site(_tag(sites, pixel)) as site, Browser(site.url):
        site.release()
        until(lambda: set(sites.mapped()) == {whole}, SECONDS)


def test_page__two_tags__share_five_syncs_and_leave_the_rest_due(sites: Sites) -> None:
    platforms = [_platform(sites) for _ in range(8)]
    tags = [_tag(sites, sites.pixel(*some)) for some in (platforms[:4], platforms[4:])]
    with Site("".join(tags)) as site, Browser(site.url):
        site.release()
        until(lambda: len(sites.mapped()) == 5, SECONDS)
        site.reload()
        until(lambda: set(sites.mapped()) == set(platforms), SECONDS)
        assert site.views == 2


def test_page__third_party_cookies_blocked__ends_in_no_cookie_and_leaves_no_profiles(sites: Sites) -> None:
    pixel = sites.pixel(_platform(sites))
    before = _answered(sites, "/dp", "no-cookie"), _answered(sites, "/sync", "no-cookie")
    with Site(_tag(sites, pixel)) as site, Browser(site.url, third_party_cookies=False):
        site.release()
        until(lambda: _answered(sites, "/sync", "no-cookie") == before[1] + 1, SECONDS)
    assert _answered(sites, "/dp", "no-cookie") == before[0] + 1
    assert sites.stored(InboxKind.SYNC) == sites.stored(InboxKind.CONFIRM) == []
    assert not any(row.get("confirmed") for row in sites.stored(InboxKind.EVENT))
    assert sites.sandbox.state()["sync"] == {}
