"""Where a request comes from, behind proxies or not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.client_address import TrustedProxies, is_within, networks

PROXIES = TrustedProxies(networks(["10.0.0.0/8", "2001:db8::/32"]))


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.7", "", "203.0.113.7"),
        ("203.0.113.7", "198.51.100.1", "203.0.113.7"),  # whoever is no proxy may write what he likes
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.7", "203.0.113.7"),
        ("10.0.0.1", "1.1.1.1, 203.0.113.7, 10.0.0.2", "203.0.113.7"),
        ("10.0.0.1", "1.1.1.1, nonsense, 10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", "nonsense", "10.0.0.1"),
        ("::ffff:10.0.0.1", "::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8::1", "2001:0DB9::0001", "2001:db9::1"),
        ("", "203.0.113.7", ""),
    ],
)
def test_client__chain_of_proxies__is_the_first_that_is_no_proxy(peer: str, forwarded: str, client: str) -> None:
    assert PROXIES.client(peer, forwarded) == client


def test_client__no_trusted_proxies__is_the_peer() -> None:
    assert TrustedProxies().of({"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": "1.1.1.1"}) == "10.0.0.1"


@given(st.text(max_size=60))
def test_client__whatever_is_sent__is_an_address_or_the_proxy(text: str) -> None:
    found = PROXIES.client("10.0.0.1", text)

    assert is_within(found, networks(["0.0.0.0/0", "::/0"]))


@pytest.mark.parametrize("text", ["", "10.0.0.1/8", "300.1.1.1", "10.0.0.0/33", "localhost", "::/129"])
def test_networks__what_is_none__is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match="is no address"):
        networks(["10.0.0.0/8", text])
