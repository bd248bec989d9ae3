"""Numbers: rules hold them in the form in which profiles keep them, and both readings agree on them.

`jsonb` keeps a float as the decimal its shortest repr writes, so an integral float beyond 64 bits has two
values: Python's, and the integer its repr writes. `exact` gives the second one, the database's. All
other kept numbers compare natively as their decimals do: shortest reprs keep the order of floats, and
that of a float which is not integral never reaches an integer.
"""

import math
from decimal import Decimal

from core.json_values import canonical

Number = int | float

SMALLEST, LARGEST = -(2**63), 2**64 - 1


def canonical_number(value: Number) -> Number:
    """The form in which profiles keep a number. ValueError for NaN, infinities and integers that data
    may not hold either: those beyond 64 bits, signed or not.
    """
    if isinstance(value, int) and not SMALLEST <= value <= LARGEST:
        raise ValueError("an integer beyond 64 bits")
    if not math.isfinite(value):
        raise ValueError("not a finite number")
    kept: Number = canonical(value)
    return kept


def exact(value: Number) -> Number:
    """The value as the database compares it: an integral float is the integer its repr writes."""
    if isinstance(value, float) and value.is_integer():
        return int(Decimal(repr(value)))
    return value
