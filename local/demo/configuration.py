"""Everything a marketer sets up before the first purchase, through the REST API alone."""

from dataclasses import dataclass

from local.demo.api import Api
from local.demo.audiences import AUDIENCES
from local.demo.platforms import PLATFORMS, Platform

USER_KEY = "UserId"
ATTRIBUTES = {"Orders": "integer", "TotalSpent": "number", "LastPurchase": "time"}


@dataclass(frozen=True, slots=True)
class SyncParty:
    """A platform as its own syncs need it: number and secret."""

    platform: Platform
    pl: int
    secret: str


@dataclass(frozen=True, slots=True)
class Configuration:
    """What the hub gave numbers to."""

    customer: int
    pixel: int
    parties: tuple[SyncParty, ...]


def configure(api: Api, sandbox_url: str) -> Configuration:
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
    return Configuration(customer, pixel, parties)


def _platform(api: Api, customer: int, platform: Platform, sandbox_url: str) -> SyncParty:
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
