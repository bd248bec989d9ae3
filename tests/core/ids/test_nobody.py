"""Real ids pass, of whatever kind, and what names nobody does not, however it is dressed."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.ids import nobody
from core.ids.nobody import all_ordinary, why_nobody
from core.ids.placeholders import NOTHING

HEX = st.sampled_from([16, 32, 40, 64]).flatmap(lambda n: st.binary(min_size=n // 2, max_size=n // 2).map(bytes.hex))
RANDOM = st.binary(min_size=9, max_size=48).filter(lambda raw: len(set(raw)) > 4)
NAMES = st.from_regex(r"[a-z]{3,8}[._+-]?[a-z]{0,6}[0-9]{1,4}", fullmatch=True)
REAL_IDS = st.one_of(
    st.uuids(version=4).map(str),
    st.uuids(version=4).map(lambda one: str(one).upper()),
    st.uuids(version=4).map(lambda one: "{" + str(one) + "}"),
    st.uuids(version=1).map(lambda one: one.hex),
    HEX.filter(lambda text: len(set(text)) > 4),
    RANDOM.map(lambda raw: base64.b64encode(raw).decode()),
    RANDOM.map(lambda raw: base64.urlsafe_b64encode(raw).decode()),
    RANDOM.map(lambda raw: base64.urlsafe_b64encode(raw).decode().rstrip("=")),
    st.integers(1, 10**8).map(str).filter(lambda text: len(set(text)) > 1),  # no device is called 1 or 77
    st.integers(1, 10**8).map(lambda n: f"C-{n}"),
    st.integers(1, 10**8).map(lambda n: f"customer_{n}"),
    NAMES,
    NAMES.map(lambda name: f"{name}@example.com"),
    NAMES.map(lambda name: f"<{name}@example.com>"),
    NAMES.map(lambda name: f"https://id.example/u/{name}?of=shop&v=1"),
    NAMES.map(lambda name: f"auth0|{name}"),
    st.tuples(st.integers(10**8, 10**9), st.integers(10**9, 10**10)).map(lambda two: f"GA1.2.{two[0]}.{two[1]}"),
    st.from_regex(r"\+[1-9][0-9]{9,13}", fullmatch=True).filter(lambda text: len(set(text)) > 3),
)
KINDS = st.sampled_from(["user", "platform", "euid:7", "device:devid_a", "device:idsha1"])
COVERS = ["{}", " {} ", '"{}"', "'{}'", "<{}>", "({})", "{}\t", "\u00a0{}", "\u201c{}\u201d", "{},"]


@given(KINDS, REAL_IDS)
def test_why_nobody__real_id__may_name_somebody(kind: str, value: str) -> None:
    assert why_nobody(kind, value) is None


@given(KINDS, st.sampled_from(sorted(NOTHING)), st.sampled_from(COVERS), st.sampled_from([str.upper, str.title, str]))
def test_why_nobody__word_in_any_dress__names_nobody(kind: str, word: str, cover: str, case: type[str]) -> None:
    assert why_nobody(kind, cover.format(case(word))) is not None


MACRO_COVERS = [
    *(
        "${{{}}}",
        "[[{}]]",
        "{{{{{}}}}}",
        "%%{}%%",
        "[{}]",
        "<{}>",
        "{{{}}}",
        "__{}__",
        "${}",
        "@@{}@@",
        "#{{{}}}",
        "##{}##",
    ),
    *("*|{}|*", "{{%{}%}}", "<%= {} %>", "%{}%", "$({})", "|{}|", "${{{}", "{{{{{}", "%({})s", "!{{{}}}", "~{}~"),
]


@given(st.from_regex(r"[A-Za-z]{1,10}(_[A-Za-z]{1,8}){0,2}", fullmatch=True), st.sampled_from(MACRO_COVERS))
def test_why_nobody__macro_never_heard_of__names_nobody(name: str, cover: str) -> None:
    assert why_nobody("user", cover.format(name)) is not None


@pytest.mark.parametrize(
    "value",
    [
        *(
            "me",
            "google",
            "client",
            "no-1",
            "guest-1234",
            "0042",
            "777",
            "11",
            "u1",
            "O'Brien",
            "\u00dcnal",
            "\u5f20\u4f1f",
            "@user",
        ),
        "$2y$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
    ],
)
def test_why_nobody__short_or_odd_ids__may_name_somebody(value: str) -> None:
    assert why_nobody("user", value) is None


def test_why_nobody__own_word__names_nobody_in_any_dress() -> None:
    for value in ("kiosk", " KIOSK", '"Kiosk"'):
        assert why_nobody("user", value, {"kiosk"}) == "own word"
    assert why_nobody("user", "kiosk-1", {"kiosk"}) is None


IDS = st.from_regex(r"[A-Za-z]{0,17}-?0{0,17}[1-9]?[0-9]{0,17}", fullmatch=True) | st.sampled_from(
    ["user1", "C-0", "0"]
)


@given(values=st.lists(IDS, min_size=1, max_size=3), own=st.sampled_from([frozenset(), frozenset({"user1"})]))
def test_ids__that_are_all_ordinary_at_a_glance__name_somebody(values: list[str], own: frozenset[str]) -> None:
    if all_ordinary(values, own):
        assert [why_nobody("user", value, own) for value in values] == [None] * len(values)


def test_placeholders__are_never_ordinary_at_a_glance() -> None:
    assert not [word for word in nobody._KNOWN if all_ordinary([word]) or all_ordinary([word.replace("-", "")])]
    assert all_ordinary(["C-000000001", "user12", "AB-7"])
    assert not all_ordinary(["C-1", "User1"], frozenset({"user1"}))
