"""The dimensions that `/dp` knows beside `data`, and their types."""

import re
from collections.abc import Callable, Mapping

from edge.query import Query

Dimension = str | int | float
Reader = Callable[[str], Dimension | None]

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_INTEGER = re.compile(r"-?[0-9]{1,18}")
_NUMBER = re.compile(r"-?[0-9]{1,18}(?:\.[0-9]{1,18})?")


def _text(value: str) -> str | None:
    return None if _CONTROL.search(value) else value


def _integer(value: str) -> int | None:
    return int(value) if _INTEGER.fullmatch(value) else None


def _number(value: str) -> float | None:
    return float(value) if _NUMBER.fullmatch(value) else None


_TEXTS = (
    "itst r eurl epx _geo_c _geo_s _geo_t _geo_p _geo_d _os _osv _devb _devm _ct _car cpid cid liid ioid advid curr bdt"
)
_INTEGERS = "it _devt btzo"
_NUMBERS = "iv lat lon"

DIMENSIONS: Mapping[str, Reader] = {
    **dict.fromkeys(_TEXTS.split(), _text),
    **dict.fromkeys(_INTEGERS.split(), _integer),
    **dict.fromkeys(_NUMBERS.split(), _number),
}
"""How each is read. Ids of campaigns and the like are text: no coercion ever makes one a number."""


def read(query: Query, limit: int) -> dict[str, Dimension]:
    """The dimensions a request carries; one that is empty, unreadable or over `limit` bytes is left out."""
    found: dict[str, Dimension] = {}
    for name, text in query.values.items():
        reader = DIMENSIONS.get(name)
        if reader is not None and text and len(text.encode()) <= limit:
            value = reader(text)
            if value is not None:
                found[name] = value
    return found
