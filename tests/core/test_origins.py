"""Origins in a pixel's list, and those that requests carry."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.origins import BadOriginError, Origins, clean_origin

WRITTEN = {
    "https://shop.example": "https://shop.example",
    " HTTPS://Shop.Example/ ": "https://shop.example",
    "https://shop.example:443": "https://shop.example",
    "http://shop.example:80": "http://shop.example",
    "http://shop.example:443": "http://shop.example:443",
    "http://localhost:3000": "http://localhost:3000",
    "https://bücher.example": "https://xn--bcher-kva.example",
    "https://*.Bücher.example": "https://*.xn--bcher-kva.example",
    "https://192.0.2.1:8443": "https://192.0.2.1:8443",
    "https://[2001:db8::1]": "https://[2001:db8::1]",
    "*": "*",
}
REFUSED = [
    *("", "shop.example", "https://", "https://*", "https://*.com", "https://a.*.example", "https://sh*p.example"),
    *("https://*shop.example", "https://*.*.shop.example", "ftp://shop.example", "https://shop.example/path"),
    *("https://shop.example?x", "https://u:p@shop.example", "https://shop.example:0", "https://shop.example:70000"),
    *("https://shop..example", "https://-shop.example", "https://shop.example:", "null", "https://*.192.0.2.1"),
    *("https://shop.example, https://other.example", "https://shop example", "javascript://x", "**", "https://a\nb.c"),
]

hosts = st.lists(st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True), min_size=2, max_size=4).map(
    ".".join
)


@pytest.mark.parametrize(("text", "cleaned"), WRITTEN.items())
def test_origin__as_people_write_it__is_as_browsers_do(text: str, cleaned: str) -> None:
    assert clean_origin(text) == cleaned == clean_origin(cleaned)


@pytest.mark.parametrize("text", REFUSED)
def test_origin__that_is_none__is_refused(text: str) -> None:
    with pytest.raises(BadOriginError):
        clean_origin(text)


@given(st.sampled_from(["http", "https"]), hosts, st.one_of(st.just(""), st.integers(1, 65_535).map(":{}".format)))
def test_origin__that_is_listed__is_named_and_its_neighbours_are_not(scheme: str, host: str, port: str) -> None:
    written = clean_origin(f"{scheme}://{host}{port}")
    exact, under = Origins([written]), Origins([written.replace("://", "://*.")])
    below = written.replace("://", "://a.b.")

    assert exact.names(written.encode())
    assert not exact.names(below.encode())
    assert under.names(below.encode())
    for other in (written, f"{below}.evil.example", below.replace("://", "s://"), f"{below}:1", below.upper(), "null"):
        assert not under.names(other.encode())


def test_list__with_any__names_nobody() -> None:
    origins = Origins(["*"])
    assert origins.is_open
    assert origins
    assert not origins.names(b"https://shop.example")
    assert not origins.names(b"*")
    assert not Origins([])
