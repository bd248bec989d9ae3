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
    """A platform as its own syncs need it: number and secret, and whether they are signed with it."""

    platform: DemoPlatform
    pl: int
    secret: str
    signs: bool


@dataclass(frozen=True, slots=True)
class DemoConfiguration:
    """What the hub gave numbers to. `signing_secret`: of the pixel; None where it is open."""

    customer: int
    pixel: int
    parties: tuple[SyncParty, ...]
    signing_secret: str | None = None


STRICT_CUSTOMER, SIGNED = {"personal_data": "refuse"}, {"auth": "signed"}
"""What `docs/security.md` advises beside the variables of `.env.strictest`."""


def configure(api: Api, sandbox_url: str, *, strict: bool) -> DemoConfiguration:
    """One customer, pixel, attributes, platforms, and every audience activated on every platform.

    `strict`: personal data in clear is refused, and whatever can be signed must be.
    """
    customer: int = api.post("customers/", name="CDNOW", **(STRICT_CUSTOMER if strict else {}))["m"]
    parties = tuple(_platform(api, customer, one, sandbox_url, one.signs or strict) for one in PLATFORMS)
    shop = api.post("pixels/", customer=customer, name="Shop", user_key=USER_KEY, **(SIGNED if strict else {}))
    pixel: int = shop["id"]
    for path, kind in ATTRIBUTES.items():
        api.post("attributes/", customer=customer, path=path, type=kind, enabled=True)
    for audience in AUDIENCES:
        made = api.post("audiences/", customer=customer, name=audience.name, rule=audience.rule(pixel))
        for party in parties:
            api.post("activations/", audience=made["id"], platform=party.pl, settings={})
    return DemoConfiguration(customer, pixel, parties, shop.get("signing_secret"))


def _platform(api: Api, customer: int, platform: DemoPlatform, sandbox_url: str, signs: bool) -> SyncParty:
    made = api.post(
        "platforms/",
        customer=customer,
        name=platform.name,
        connector="http",
        settings=platform.settings(sandbox_url),
        credentials=platform.credentials(),
        sync_auth="signed" if signs else "token",
    )
    return SyncParty(platform, made["pl"], made["sync_secret"], signs)


PATIENCE_SECONDS = 30.0


def wait_for_edge(edge_url: str, configuration: DemoConfiguration) -> None:
    """Until the edge knows the pixel and the platforms: asked by requests that it refuses and keeps nothing of."""
    pixel = f"{edge_url}/dp?m={configuration.customer}&id={configuration.pixel}&t=none"
    asked = {pixel: "bad-signature" if configuration.signing_secret else "bad-t"} | {
        f"{edge_url}/uid?pl={party.pl}": "bad-userid" for party in configuration.parties
    }
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
