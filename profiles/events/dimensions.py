"""The dimensions of an event: the parameters that `/dp` knows beside `data`, and their types."""

from collections.abc import Callable, Mapping

from core.patterns import has_control, whole
from core.query import Parameters
from core.values.numbers import read_number

Dimension = str | int | float
DimensionReader = Callable[[str], Dimension | None]

_INTEGER = whole(r"-?[0-9]{1,18}+")
_NUMBER = whole(r"-?[0-9]{1,18}+(?:\.[0-9]{1,18}+)?+")


def _text(value: str) -> str | None:
    return None if has_control(value) else value


def _integer(value: str) -> int | None:
    return int(value) if _INTEGER(value) else None


def _number(value: str) -> int | float | None:
    return read_number(value) if _NUMBER(value) else None


def _degrees(most: int) -> DimensionReader:
    """Returns a reader of latitudes (at most 90) or longitudes (at most 180)."""

    def read(value: str) -> int | float | None:
        number = _number(value)
        return number if number is not None and abs(number) <= most else None

    return read


_TEXTS = (
    "itst r eurl epx _geo_c _geo_s _geo_t _geo_p _geo_d _os _osv _devb _devm _ct _car cpid cid liid ioid advid curr bdt"
)
_INTEGERS = "it _devt btzo"
_NUMBERS = "iv"

DIMENSIONS: Mapping[str, DimensionReader] = {
    **dict.fromkeys(_TEXTS.split(), _text),
    **dict.fromkeys(_INTEGERS.split(), _integer),
    **dict.fromkeys(_NUMBERS.split(), _number),
    "lat": _degrees(90),
    "lon": _degrees(180),
}
"""How each dimension is read. Ids of campaigns and the like stay text: none of them is ever turned into a number."""


def dimensions_in(values: Parameters, limit: int) -> dict[str, Dimension]:
    """Returns the dimensions among the parameters. One that is empty, unreadable or over `limit` bytes is left out."""
    found: dict[str, Dimension] = {}
    for name, text in values.items():
        reader = DIMENSIONS.get(name)
        if reader is not None and text and len(text.encode()) <= limit:
            value = reader(text)
            if value is not None:
                found[name] = value
    return found
