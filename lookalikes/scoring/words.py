"""Features in words."""

from collections.abc import Mapping

from lookalikes.scoring.fields import Field, Reading, Source

SHOWN = 60
Names = Mapping[str, str]
"""What people call a dependency, e.g. `pixel.7` → “Web shop”."""

_MEASURES = {
    "total": "events on {name}: {range}",
    "days": "days with events on {name}: {range}",
    "first": "first seen on {name} {range} ago",
    "last": "last seen on {name} {range} ago",
}


def category_in_words(field: Field, text: str, names: Names) -> str:
    """`text` as by `text_of`."""
    value = text if text in {"yes", "no"} else text[1:]
    shown = value if len(value) <= SHOWN else value[:SHOWN] + "…"
    return f"{_name(field, names)} is {shown}"


def range_in_words(field: Field, number: int, names: Names) -> str:
    """The `number`-th range, from 0."""
    name = _name(field, names)
    if field.source is Source.PIXEL:
        told = _range(field.edges, number, whole=True)
        return _MEASURES[field.keys[1]].format(
            name=name, range=f"{told} days" if field.reading is Reading.AGE else told
        )
    if field.reading is Reading.AGE:
        return f"{name} {_range(field.edges, number, whole=True)} days ago"
    return f"{name}: {_range(field.edges, number, whole=False)}"


def member_in_words(field: Field, names: Names) -> str:
    return f"in audience {_name(field, names)}"


def _name(field: Field, names: Names) -> str:
    path = ".".join(field.keys[:1] if field.source in {Source.PIXEL, Source.AUDIENCE} else field.keys)
    return names.get(f"{field.source}.{path}", path)


def _range(edges: tuple[float, ...], number: int, *, whole: bool) -> str:
    """Each edge belongs to the range above it."""
    if not edges:
        return "any"
    if number == 0:
        return f"up to {_number(edges[0] - 1)}" if whole else f"below {_number(edges[0])}"
    low = edges[number - 1]
    if number == len(edges):
        return f"{_number(low)} or more"
    high = edges[number]
    if not whole:
        return f"{_number(low)} to below {_number(high)}"
    return _number(low) if high - low <= 1 else f"{_number(low)} to {_number(high - 1)}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.4g}"
