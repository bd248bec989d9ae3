"""One number, one form."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.json_values import HIGH, LOW, canonical, loads

NUMBERS = st.integers(min_value=-(2**70), max_value=2**70) | st.floats(allow_nan=False, allow_infinity=False)
DATA = st.recursive(
    NUMBERS | st.booleans() | st.none() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=10,
)


@given(DATA)
@example(2**63)
@example(-(2**63))
@example([1e18, {"a": -0.0}, 1e19])
def test_what_is_read_is_the_kept_form_of_what_stands_there(data: Any) -> None:
    found = loads(json.dumps(data))
    assert found == canonical(data)
    assert repr(found) == repr(canonical(data)), "1 and 1.0 are equal, but kept alike they have to be written alike"


@given(NUMBERS)
def test_a_whole_number_within_64_bits_is_an_integer_and_any_other_number_a_float(number: float) -> None:
    whole = number == int(number) and LOW <= number <= HIGH
    assert type(loads(json.dumps(number))) is (int if whole else float)


@pytest.mark.parametrize("text", ["1e400", "[-1e309]", '{"a": {"b": 1e999}}'])
def test_a_float_beyond_all_floats_is_refused(text: str) -> None:
    with pytest.raises(msgspec.DecodeError):
        loads(text)
