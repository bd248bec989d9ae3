"""Where a mailing's link may lead, and that nobody can make it lead elsewhere."""

from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.keys import TokenSigner
from usersync.links import MAX_TARGET, BadLinkError, LinkKind, MailingLink, clean_target, make_link, read_link

TOKENS = TokenSigner(["key"])
EDGE = "https://hub.example"
TARGET = "https://shop.example/spring?a=1&b=%20#top"

tricks = [
    *("/", "\\", "//", "@", ":", "#", "?", "%", "%0d%0a", "\r\n", "\t", " ", "[", "]", ".", "-", "https://", "http:"),
    *("evil.example", "javascript:", "é", "xn--", "1.2.3.4", "0x7f"),
    *(
        "\u3002",
        "\uff0f",
        "\uff20",
        "\u24d4",
        "\u2028",
        "\u00ad",
        "\u202e",
    ),  # dot, slash, at, e; separator, hyphen, override
]
twisted = st.lists(st.sampled_from(tricks) | st.text(max_size=3), max_size=6).map("".join)


@pytest.mark.parametrize(
    ("target", "cleaned"),
    [
        (TARGET, TARGET),
        ("HTTPS://Shop.Example", "https://shop.example/"),
        ("http://shop.example:8080?x", "http://shop.example:8080?x"),
        ("https://shop.example./a", "https://shop.example./a"),
        ("https://münchen.example/straße?q=größe", "https://xn--mnchen-3ya.example/stra%C3%9Fe?q=gr%C3%B6%C3%9Fe"),
        ("https://straße.example/", "https://xn--strae-oqa.example/"),
        ("https://例え.example/", "https://xn--r8jz45g.example/"),
        ("https://[2001:DB8::1]:8443/a", "https://[2001:db8::1]:8443/a"),
        ("https://shop.example//evil.example/..//x", "https://shop.example//evil.example/..//x"),
        ("https://shop.example/?to=https://other.example/", "https://shop.example/?to=https://other.example/"),
        ("https://shop.example/a@b", "https://shop.example/a@b"),
    ],
)
def test_target__sound__is_written_in_the_one_spelling(target: str, cleaned: str) -> None:
    assert clean_target(target) == cleaned
    assert clean_target(cleaned) == cleaned


@pytest.mark.parametrize(
    "target",
    [
        *("", "shop.example", "/path", "//evil.example", "\\\\evil.example", "/\\evil.example", "https:evil.example"),
        *("https:/evil.example", "https:///evil.example", "https://", "https://?x", "https://#x"),
        *("https:\\\\evil.example", "ftp://shop.example/", "data:text/html,x"),
        *("javascript:alert(1)", "JavaScript://shop.example/%0aalert(1)"),
        *("https://user@evil.example/", "https://user:pw@evil.example/", "https://shop.example@evil.example/"),
        *("https://shop.example\\@evil.example/", "https://shop.example\\.evil.example/", "https://shop.example\\/a"),
        *("https://shop.example/\r\nSet-Cookie: a=1", "https://shop.example/\n", "\nhttps://shop.example/"),
        *("https://shop.example/a b", " https://shop.example/", "https://shop.example/ ", "https://shop.example/\t"),
        *("https://shop.example/\0", "https://shop.example/\x85", "https://shop.example/\u2028"),
        *("https://shop.example/\ud800", "https://shop.example/<script>", 'https://shop.example/"x'),
        *("https://shop.example/{u}", "https://shop.example/%", "https://shop.example/%zz", "https://-shop.example/"),
        *("https://shop%2eexample/", "https://shop%40evil.example/", "https://shop..example/", "https://.example/"),
        *("https://shop.example:x/", "https://shop.example:99999/", "https://shop.example:/"),
        *("https://shop.example:80:80/", "https://[::1/", "https://[evil.example]/"),
        *("https://shop.example\uff0fevil.example/", "https://shop.example\uff20evil.example/"),
        *("https://shop.example\uff3c@evil.example/", "https://" + "a" * 64 + ".example/"),
        *("https://shop.example/" + "a" * MAX_TARGET, "https://shop.example/" + "é" * 700),
    ],
)
def test_target__that_two_could_read_in_two_ways__is_refused(target: str) -> None:
    with pytest.raises(BadLinkError) as refusal:
        clean_target(target)
    assert refusal.value.field == "target"
    with pytest.raises(BadLinkError):
        make_link(TOKENS, EDGE, 7, LinkKind.CLICK, target, "")


@given(head=st.sampled_from(["https://shop.example", "https://", "http://shop.example/", ""]), tail=twisted)
@example(head="https://shop.example", tail="\\@evil.example")
def test_target__whatever_is_tried__stays_on_the_host_that_it_names(head: str, tail: str) -> None:
    try:
        cleaned = clean_target(head + tail)
    except BadLinkError:
        return
    scheme, rest = cleaned.split("://", 1)
    authority = rest.replace("?", "/").replace("#", "/").split("/")[0]
    assert scheme in {"https", "http"}
    assert cleaned.isascii()
    assert cleaned.isprintable()
    assert not set(cleaned) & set('\\ <>"{}|^`')
    assert "@" not in authority
    assert "%" not in authority
    assert urlsplit(cleaned).netloc == authority
    assert clean_target(cleaned) == cleaned
    if head == "http://shop.example/":
        assert authority == "shop.example"


@given(target=twisted.map(lambda tail: f"https://shop.example/{tail}"), mailing=st.text(max_size=20))
def test_link__made__leads_to_its_target_and_nowhere_else(target: str, mailing: str) -> None:
    try:
        url = make_link(TOKENS, EDGE, 7, LinkKind.VIEW, target, mailing)
    except BadLinkError:
        return
    assert url.startswith("https://hub.example/v/")
    link = read_link(TOKENS, url.rpartition("/")[2])
    assert link == MailingLink(LinkKind.VIEW, 7, clean_target(target), mailing)


TOKEN = make_link(TOKENS, EDGE, 7, LinkKind.CLICK, TARGET, "spring").rpartition("/")[2]


@given(place=st.integers(0, len(TOKEN) - 1), character=st.characters(exclude_categories=["Cs"]))
def test_link__any_one_character_changed__is_refused(place: int, character: str) -> None:
    changed = TOKEN[:place] + character + TOKEN[place + 1 :]
    assert (read_link(TOKENS, changed) is None) == (changed != TOKEN)


def test_link__any_one_byte_changed_added_or_taken_away__is_refused() -> None:
    for place in range(len(TOKEN)):
        for byte in range(256):
            changed = TOKEN[:place] + chr(byte) + TOKEN[place + 1 :]
            assert changed == TOKEN or read_link(TOKENS, changed) is None
        assert read_link(TOKENS, TOKEN[:place]) is None
        assert read_link(TOKENS, TOKEN[:place] + TOKEN[place + 1 :]) is None
    assert read_link(TOKENS, TOKEN + "A") is None


def test_link__after_the_keys_were_rotated__is_still_read() -> None:
    assert read_link(TokenSigner(["newer", "key"]), TOKEN) is not None
    assert read_link(TokenSigner(["newer"]), TOKEN) is None


@pytest.mark.parametrize("mailing", ["x" * 201, "a\nb", "\x00", "\ud800"])
def test_link__mailing_that_cannot_be_kept__is_refused(mailing: str) -> None:
    with pytest.raises(BadLinkError) as refusal:
        make_link(TOKENS, EDGE, 7, LinkKind.CLICK, TARGET, mailing)
    assert refusal.value.field == "mailing"
