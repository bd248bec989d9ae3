"""JSON that people and callers write is read, or refused by one kind of error."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.json_values import canonical
from core.strict_json import MOST_DEPTH, StrictJsonError, read

REFUSED = {
    "nothing": "",
    "half of it": "{",
    "deep": "[" * 100_000,
    "deep and whole": "[" * 500 + "]" * 500,
    "deeper than allowed": "[" * (MOST_DEPTH + 1) + "]" * (MOST_DEPTH + 1),
    "half a character": r'{"a": "\ud800"}',
    "half a character as a name": r'{"\udfff": 1}',
    "a long number": "9" * 5_000,
    "a large number": '{"a": 1e400}',
    "no number": "NaN",
    "without end": "-Infinity",
    "NUL": r'{"a": ["\u0000"]}',
    "NUL in a name": r'{"\u0000": 1}',
    "as it stands half": '"\ud800"',
}


@pytest.mark.parametrize("what", REFUSED)
def test_read__what_jsonb_cannot_hold__is_refused_and_not_quoted(what: str) -> None:
    with pytest.raises(StrictJsonError) as refused:
        read(REFUSED[what])

    assert len(refused.value.message) < 150


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(VALUES)
def test_read__json__is_the_value_unless_it_holds_nul(value: Any) -> None:
    text = json.dumps(value)
    if "\\u0000" in text.replace("\\\\", ""):
        with pytest.raises(StrictJsonError):
            read(text)
    else:
        assert read(text) == read(text.encode())
        assert canonical(read(text)) == canonical(value)


def test_read__long_number__is_exact_also_with_a_point() -> None:
    assert read("[9007199254740993, 9007199254740993.0, 1e18, 1.0]") == [2**53 + 1, 2**53 + 1, 10**18, 1]
    with pytest.raises(StrictJsonError):
        read("1e-400")


def test_read__bytes_that_are_no_text__are_refused() -> None:
    with pytest.raises(StrictJsonError):
        read(b'"\xff"')
