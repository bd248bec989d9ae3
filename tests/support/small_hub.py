"""A hub of few buckets, in this process: what goes through all buckets costs less, and what it does is the same."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from core import buckets

_USUAL: dict[str, Any] = {"BUCKETS": buckets.BUCKETS, "of_value": buckets.of_value}


@contextmanager
def few_buckets(number: int) -> Iterator[None]:
    """All rooms that are loaded take the hub for one of so many buckets.

    The tables must be empty before and after; our own user ids must end in the byte of a bucket that there is.
    """
    usual_of_value = buckets.of_value
    small: dict[str, Any] = {"BUCKETS": number, "of_value": lambda value: usual_of_value(value) % number}
    _replace(_USUAL, small)
    try:
        yield
    finally:
        _replace(small, _USUAL)  # also in what was loaded meanwhile


def _replace(present: dict[str, Any], following: dict[str, Any]) -> None:
    for module in [one for one in sys.modules.values() if one.__name__ != __name__]:
        for name, value in present.items():
            given = vars(module).get(name)
            if given is value or (type(given) is int and given == value):
                setattr(module, name, following[name])
