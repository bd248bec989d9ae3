"""Dimensions: numbers as they were sent, and nothing else as a number."""

import pytest

from profiles.events.dimensions import dimensions_in


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("iv", "9007199254740993", 9007199254740993),
        ("iv", "-12.50", -12.5),
        ("iv", "12.0", 12),
        ("iv", "1_000", None),
        ("iv", "\N{FULLWIDTH DIGIT ONE}", None),
        ("iv", "NaN", None),
        ("_devt", "123456789012345678", 123456789012345678),
        ("cpid", "007", "007"),
        ("lat", "90.000001", None),
        ("lon", "-179.5", -179.5),
    ],
)
def test_dimension__is_exact_or_left_out(name: str, text: str, value: object) -> None:
    found = dimensions_in({name: text}, 100)
    assert found == ({} if value is None else {name: value})
    assert type(found.get(name)) is type(value)
