from urllib.parse import parse_qsl, quote, urlencode

from hypothesis import given
from hypothesis import strategies as st

from core.query import QueryString, pairs, unquote

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@given(fields=st.lists(st.tuples(texts, texts), max_size=5))
def test_pairs__encoded_by_the_standard_library__come_back(fields: list[tuple[str, str]]) -> None:
    for encoded in (urlencode(fields), urlencode(fields, quote_via=quote)):
        assert pairs(encoded.encode()) == fields


@given(raw=st.binary(max_size=40) | st.text("%&=+a7Ff\\xé", max_size=40).map(str.encode))
def test_pairs__any_bytes__are_read_as_the_standard_library_does(raw: bytes) -> None:
    lenient = parse_qsl(raw.decode("latin-1"), keep_blank_values=True, encoding="latin-1", separator="&")
    expected = [(_strict(name), _strict(value)) for name, value in lenient]
    assert pairs(raw) == expected


def _strict(text: str) -> str | None:
    try:
        return text.encode("latin-1").decode()
    except UnicodeDecodeError:
        return None


def test_query__repeated__keeps_the_first_and_says_so() -> None:
    query = QueryString(b"a=1&b=2&a=3&%61=4&c")
    assert query.values == {"a": "1", "b": "2", "c": ""}
    assert query.repeated == {"a"}


def test_unquote__stray_percent__stands_for_itself() -> None:
    assert unquote("100%+of%20%zz\\x41%C3%A9") == "100% of %zz\\x41é"
