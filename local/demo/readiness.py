"""Waiting for what a configuration change sets in motion."""

import time
from collections.abc import Callable

import requests

from local.demo.audiences import AUDIENCES
from local.demo.configuration import Configuration
from local.demo.failure import DemonstrationError
from local.demo.platforms import PLATFORMS
from local.demo.third_parties import ThirdParties

PATIENCE_SECONDS = 30.0


class NotReadyError(DemonstrationError):
    """It did not come about in time; the message says what."""


def wait_for_edge(edge_url: str, configuration: Configuration) -> None:
    """Until the edge knows the pixel and the platforms: asked by requests that it refuses and keeps nothing of."""
    pixel = f"{edge_url}/dp?m={configuration.customer}&id={configuration.pixel}&t=none"
    asked = {pixel: "bad-t"} | {f"{edge_url}/uid?pl={party.pl}": "bad-userid" for party in configuration.parties}
    wait_for("the edge to know the configuration", lambda: all(_status(url) == asked[url] for url in asked))


def wait_for_segments(third_parties: ThirdParties) -> None:
    """Until every audience has its segment on every platform."""
    wanted = len(PLATFORMS) * len(AUDIENCES)
    wait_for("the segments to be created", lambda: third_parties.created() == wanted)


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
