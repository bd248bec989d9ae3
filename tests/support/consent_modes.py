"""Another consent mode for the customer of the edge's tests, for as long as a test needs it."""

from collections.abc import Iterator
from contextlib import contextmanager

from core.consent_mode import ConsentMode
from tests.support.edge_process import CUSTOMER, TOKEN_PLATFORM, TOKENS, RunningEdge, raise_version, until

USER = "6f6f1c1e-9d0b-4c7e-8a7e-0123456789ab"
SYNC: dict[str, object] = {"userid": "abcdef123", "pl": TOKEN_PLATFORM, "plsec": TOKENS[0]}
_SEEN_AS = {
    ConsentMode.OFF: ("stored", "stored"),
    ConsentMode.WHEN_PRESENT: ("stored", "consent-denied"),
    ConsentMode.REQUIRED: ("consent-denied", "consent-denied"),
}
"""What `/uid` answers without any signal, and to one that denies."""


@contextmanager
def customer_wants(edge: RunningEdge, mode: ConsentMode) -> Iterator[None]:
    try:
        _change(edge, mode)
        yield
    finally:
        _change(edge, ConsentMode.WHEN_PRESENT)


def _change(edge: RunningEdge, mode: ConsentMode) -> None:
    edge.database.execute("UPDATE customer SET consent = %s WHERE m = %s", [mode, CUSTOMER])
    raise_version(edge.database)
    until(lambda: _seen(edge) == _SEEN_AS[mode])
    edge.database.execute("DELETE FROM inbox")


def _seen(edge: RunningEdge) -> tuple[str, str]:
    silent, denied = ({**SYNC, **more} for more in ({}, {"us_privacy": "1YYN"}))
    return edge.client.get("/uid", silent, cookie=USER).name, edge.client.get("/uid", denied, cookie=USER).name
