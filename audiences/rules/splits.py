"""Random splits, as for control groups: a split puts every user on one of `PLACES` equal places, by a hash.

A place is the first 32 bits of `md5("<name>:<user id>")`: both readings compute it exactly, another name splits
anew, and nobody ever changes sides.
"""

import math
from fractions import Fraction
from hashlib import md5
from uuid import UUID

from audiences.rules.operators import Operator
from core.patterns import whole
from core.values.numbers import Number

PLACES = 2**32
is_name = whole(r"[A-Za-z0-9_-]{1,64}+")


def place(name: str, user: UUID) -> int:
    """Returns the user's place, from 0 up to `PLACES`."""
    return int.from_bytes(md5(f"{name}:{user}".encode(), usedforsecurity=False).digest()[:4])


def percent(of: int) -> float:
    """Returns a place as percent, for people."""
    return round(of * 100 / PLACES, 4)


def places(positive: Operator, percents: tuple[Number, ...]) -> tuple[int, int]:
    """Returns the places, from the first up to but without the second, whose percents match."""
    ends = [Fraction(repr(one)) * PLACES / 100 for one in percents]
    match positive:
        case Operator.LESS:
            return 0, math.ceil(ends[0])
        case Operator.LESS_OR_EQUAL:
            return 0, math.floor(ends[0]) + 1
        case Operator.MORE:
            return math.floor(ends[0]) + 1, PLACES
        case Operator.MORE_OR_EQUAL:
            return math.ceil(ends[0]), PLACES
        case _:
            return math.ceil(ends[0]), math.floor(ends[1]) + 1
