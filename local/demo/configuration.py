"""What a marketer sets up before the first purchase, by the REST API alone, and waiting until it is in force."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import requests

from local.demo.api import Api
from local.demo.audiences import AUDIENCES
from local.demo.errors import NotReadyError
from local.demo.platforms import PLATFORMS, DemoPlatform

USER_KEY = "UserId"
ATTRIBUTES = {"Orders": "integer", "TotalSpent": "number", "LastPurchase": "time"}


@dataclass(frozen=True, slots=True)
class SyncParty:
    """A platform as its own syncs need it: number and secret."""

    platform: DemoPlatform
    pl: int
    secret: str


@dataclass(frozen=True, slots=True)
class DemoConfiguration:
    """What the hub gave numbers to."""

    customer: int
    pixel: int
    parties: tuple[SyncParty, ...]


def configure(api: Api, sandbox_url: str) -> DemoConfiguration:
    """One customer, pixel, attributes, platforms, and every audience activated on every platform."""
    customer: int = api.post("customers/", name="CDNOW")["m"]
    parties = tuple(_platform(api, customer, platform, sandbox_url) for platform in PLATFORMS)
    pixel: int = api.post("pixels/", customer=customer, name="Shop", user_key=USER_KEY)["id"]
    for path, kind in ATTRIBUTES.items():
        api.post("attributes/", customer=customer, path=path, type=kind, enabled=True)
    for audience in AUDIENCES:
        made = api.post("audiences/", customer=customer, name=audience.name, rule=audience.rule(pixel))
        for party in parties:
            api.post("activations/", audience=made["id"], platform=party.pl, settings={})
    return DemoConfiguration(customer, pixel, parties)


def _platform(api: Api, customer: int, platform: DemoPlatform, sandbox_url: str) -> SyncParty:
    made = api.post(
        "platforms/",
        customer=customer,
        name=platform.name,
        connector="http",
        settings=platform.settings(sandbox_url),
        credentials=platform.credentials(),
        sync_auth=platform.sync_auth,
    )
    return SyncParty(platform, made["pl"], made["sync_secret"])


PATIENCE_SECONDS = 30.0


def wait_for_edge(edge_url: str, configuration: DemoConfiguration) -> None:
    """Until the edge knows the pixel and the platforms: asked by requests that it refuses and keeps nothing of."""
    pixel = f"{edge_url}/dp?m={configuration.customer}&id={configuration.pixel}&t=none"
    asked = {pixel: "bad-t"} | {f"{edge_url}/uid?pl={party.pl}": "bad-userid" for party in configuration.parties}
    wait_for("the edge to know the configuration", lambda: all(_status(url) == asked[url] for url in asked))


def wait_for_segments(created: Callable[[], int]) -> None:
    """Until every audience has its segment on every platform; `created` returns how many segments there are."""
    wanted = len(PLATFORMS) * len(AUDIENCES)
    wait_for("the segments to be created", lambda: created() == wanted)


def wait_for(what: str, is_true: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while not is_true():
        if time.monotonic() > give_up_at:
            raise NotReadyError(f"waited {PATIENCE_SECONDS:.0f} s for {what}, in vain")
        time.sleep(0.05)


def _status(url: str) -> str:
    with requests.Session() as session:
        session.trust_env = False
        return session.get(url, timeout=10).headers.get("X-DMP-Status", "")
