"""What a hub holds while it is fuzzed: two customers, of each kind of thing one, and secrets that can be recognised."""

import json
from dataclasses import dataclass
from typing import Any

import requests

from local.demo.api import Api
from tests.support.edge_process import until
from tests.support.hub import Hub
from tests.support.odd_requests import CARD, PERSON, EdgeTargets
from tests.support.planted import Planted

NOWHERE = "http://127.0.0.1:9"  # nobody listens there
METRICS_TOKEN = "plantedmetricstoken0123456789"
PASSWORD, BEARER = "plantedpassword0123456789", "plantedbearer0123456789"
SIGNING, SYNC, TOKEN = "plantedsigning0123456789", "plantedsync0123456789", "plantedtoken0123456789"
RIVAL = "plantedrival0123456789"
PERSONS = {"a value of a person": "plantedvalue0123456789", "a person's id": "planteduser0123456789"}
VARIABLES = {"DMPHUB_METRICS_TOKEN": METRICS_TOKEN, "DMPHUB_KEY_REQUESTS_PER_MINUTE": "1000000"}


@dataclass(frozen=True, slots=True)
class FuzzWorld:
    """`customer` is who is fuzzed, `rival` another one, of whom nothing may be seen with a key of the first."""

    customer: int
    rival: int
    pixel: int
    signed_pixel: int
    refusing: tuple[int, int]
    platforms: dict[str, int]
    audience: int
    links: tuple[str, ...]

    def targets(self, *keys: str) -> EdgeTargets:
        return EdgeTargets(
            customer=self.customer,
            pixel=self.pixel,
            signed_pixel=self.signed_pixel,
            signing_secret=SIGNING,
            refusing=self.refusing,
            token_platform=self.platforms["token"],
            token=TOKEN,
            signed_platform=self.platforms["signed"],
            sync_secret=SYNC,
            keys=keys,
            links=self.links,
        )


def planted(*keys: str) -> Planted:
    """What no answer, and no log, may show."""
    secrets = (METRICS_TOKEN, PASSWORD, BEARER, SIGNING, SYNC, TOKEN)
    named = {secret.rstrip("0123456789"): secret for secret in secrets}
    persons = {"a person's address": PERSON, "a person's card": CARD}
    return Planted(named | persons | {f"key {number}": key for number, key in enumerate(keys)})


def configure(api: Api) -> FuzzWorld:
    """`api`: an administrator's."""
    customer, refuser, rival = (
        api.post("customers/", name=name, personal_data=policy)["m"]
        for name, policy in (("Shop", "hash"), ("Strict", "refuse"), (RIVAL, "hash"))
    )
    api.post("attributes/", customer=customer, path="amount", type="number", enabled=True)
    platforms = add_platforms(api, customer)
    tokens = {"customer": customer, "integrations": [platforms["token"], platforms["signed"]]}
    pixel = api.post("pixels/", name="open", user_key="UserId", **tokens)["id"]
    signed = api.post("pixels/", name="signed", user_key="UserId", auth="signed", signing_secret=SIGNING, **tokens)[
        "id"
    ]
    refusing = api.post("pixels/", customer=refuser, name="strict")["id"]
    audience = _audience(api, customer, "big")
    api.post("activations/", audience=audience, platform=platforms["token"])
    _fill_rival(api, rival)
    return FuzzWorld(
        customer, rival, pixel, signed, (refuser, refusing), platforms, audience, _links(api, platforms["mail"])
    )


def add_platforms(api: Api, customer: int) -> dict[str, int]:
    """One of each kind, with secrets; returns their numbers by name."""
    return {name: api.post("platforms/", customer=customer, name=name, **one)["pl"] for name, one in _platforms()}


def fill_profile(hub: Hub, api: Api, world: FuzzWorld) -> None:
    """Make somebody known, with all that `PERSONS` names, and wait until this is absorbed."""
    value, user = PERSONS.values()
    data = json.dumps({"UserId": user, "amount": 500, "note": value})
    fields: dict[str, Any] = {"m": world.customer, "id": world.pixel, "_nr": 1, "data": data}
    address = f"http://127.0.0.1:{hub.edge_port}/dp"
    until(lambda: requests.get(address, fields, timeout=10).headers["X-DMP-Status"] == "accepted", 30)
    until(lambda: api.get("pipeline/")["inbox"] == 0, 60)


def _platforms() -> list[tuple[str, dict[str, Any]]]:
    calls = {"add": {"method": "POST", "url": NOWHERE + "/{{segment_id}}/{{userid}}"}, "removal": "none"}
    http = {"strategy": "no_batch", "create": {"method": "POST", "url": NOWHERE, "segment_id": "id"}, **calls}
    basic = {"type": "basic", "username": "hub", "password": PASSWORD}
    login = {"username": "hub", "password": PASSWORD}
    return [
        ("token", {"connector": "http", "settings": http, "credentials": basic, "sync_secret": TOKEN}),
        ("bearer", {"connector": "http", "settings": http, "credentials": {"type": "bearer", "token": BEARER}}),
        ("signed", {"connector": "none", "sync_auth": "signed", "sync_secret": SYNC}),
        (
            "mail",
            {"connector": "mapp_cep", "settings": {"api_url": NOWHERE, "default_group_id": 1}, "credentials": login},
        ),
    ]


def _audience(api: Api, customer: int, name: str) -> int:
    rule = {"combinator": "and", "rules": [{"field": "attribute.amount", "operator": ">", "value": 100}]}
    return int(api.post("audiences/", customer=customer, name=name, rule=rule)["id"])


def _fill_rival(api: Api, rival: int) -> None:
    api.post("attributes/", customer=rival, path="amount", name=RIVAL, type="number", enabled=True)
    api.post("pixels/", customer=rival, name=RIVAL)
    api.post("platforms/", customer=rival, name=RIVAL, connector="none")
    _audience(api, rival, RIVAL)


def _links(api: Api, platform: int) -> tuple[str, ...]:
    made = [
        api.post(f"platforms/{platform}/links/", kind=kind, target="https://shop.example/a?b=c", mailing="7")["url"]
        for kind in ("click", "view")
    ]
    return tuple("/" + url.split("/", 3)[3] for url in made)
