"""One number, one form."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.json_values import canonical, loads
from core.values.numbers import HIGHEST, LOWEST

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
    whole = number == int(number) and LOWEST <= number <= HIGHEST
    assert type(loads(json.dumps(number))) is (int if whole else float)


@given(st.integers(LOWEST, HIGHEST) | st.floats(allow_nan=False, allow_infinity=False))
@example(6.969896662270649e16)
def test_a_number_is_what_was_sent(number: float) -> None:
    assert loads(json.dumps([number])) == [number]


@given(st.integers(LOWEST, HIGHEST))
def test_a_whole_number_with_a_point_has_all_its_digits(number: int) -> None:
    assert loads(f"[{number}.0, {number}.000]") == [number] * 2


@pytest.mark.parametrize("text", ["1e400", "[-1e309]", '{"a": {"b": 1e999}}', "1e-400", "[0.0001e-999]"])
def test_a_float_beyond_all_floats_or_nearer_to_zero_than_any_is_refused(text: str) -> None:
    with pytest.raises(msgspec.DecodeError):
        loads(text)
