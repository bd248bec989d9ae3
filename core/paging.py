"""Keyset pages of a table: each page begins behind the last row of the one before, however large the table is.

The rows are ordered by fields of one direction that together name a row. A cursor holds the values of these fields.
This module knows nothing of HTTP: doors turn cursors into links.
"""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import connection
from django.db.models import Model, Q, QuerySet

from core.errors import InputError
from core.patterns import has_surrogate

MOST_ROWS = 1000
LONGEST_CURSOR = 4_000
CURSOR, SIZE = "cursor", "page_size"
NEXT, PREVIOUS = "n", "p"

Row = TypeVar("Row", bound=Model)


class InvalidPageError(InputError):
    """`parameter` (the cursor or the page size) is not one of this list."""

    def __init__(self, parameter: str, message: str) -> None:
        super().__init__(message)
        self.parameter = parameter


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """The rows of one page, and the cursors of the pages beside it: None where there is no such page."""

    rows: list[Row]
    next: str | None
    previous: str | None

    def links(self, address: str) -> tuple[str | None, str | None]:
        """Return the addresses of the next and the previous page. `address` is the one of this page."""
        return _link(address, self.next), _link(address, self.previous)


def paginate(rows: QuerySet[Row], ordering: Sequence[str], parameters: Mapping[str, str], *, size: int) -> Page[Row]:
    """Return the page that `parameters` names by `cursor` and `page_size`: without a cursor, the first one.

    `size`: the number of rows where `parameters` names none. Raises InvalidPageError.
    """
    size = _size(parameters.get(SIZE, str(size)))
    backwards, last = _position(parameters.get(CURSOR), rows.model, ordering)
    names = [_opposite(name) for name in ordering] if backwards else list(ordering)
    found = list(rows.filter(_behind(names, last)).order_by(*names)[: size + 1])
    page = found[:size][::-1] if backwards else found[:size]
    more = len(found) > size
    following = page[-1] if page and (backwards or more) else None
    preceding = page[0] if page and (more if backwards else bool(last)) else None
    return Page(page, _cursor(following, NEXT, ordering), _cursor(preceding, PREVIOUS, ordering))


def _link(address: str, cursor: str | None) -> str | None:
    if cursor is None:
        return None
    parts = urlsplit(address)
    query = {**parse_qs(parts.query, keep_blank_values=True), CURSOR: [cursor]}
    return urlunsplit(parts._replace(query=urlencode(sorted(query.items()), doseq=True)))


def _size(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 4 and 1 <= int(text) <= MOST_ROWS):
        raise InvalidPageError(SIZE, f"must be a number from 1 to {MOST_ROWS}")
    return int(text)


def _position(text: str | None, model: type[Model], ordering: Sequence[str]) -> tuple[bool, list[Any]]:
    """Return whether the page lies before the cursor, and the values of the row where it begins."""
    if not text:
        return False, []
    try:
        direction, values = _read_cursor(text)
        fields = [_field(model, name) for name in ordering]
        return direction == PREVIOUS, [_value(field, value) for field, value in zip(fields, values, strict=True)]
    except (ValueError, TypeError, OverflowError, binascii.Error, ValidationError, RecursionError):
        raise InvalidPageError(CURSOR, "This is not a cursor of this list.") from None


def _read_cursor(text: str) -> tuple[str, list[Any]]:
    if len(text) > LONGEST_CURSOR:
        raise ValueError("too long")
    direction, *values = json.loads(base64.urlsafe_b64decode(text.encode("ascii")))
    if direction not in {NEXT, PREVIOUS}:
        raise ValueError("no direction")
    return direction, values


def _value(field: Any, given: Any) -> Any:
    """Return what a cursor says of a field. Raises ValueError for what no row holds: the database would refuse it."""
    value = field.to_python(given) if type(given) in {str, int} else None
    if value is None or (isinstance(value, str) and ("\0" in value or has_surrogate(value))):
        raise ValueError("no value")
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("no moment")
        return value.astimezone(UTC)  # PostgreSQL does not know every offset of ISO 8601
    if isinstance(value, int):
        kind = (field.target_field if field.is_relation else field).get_internal_type()
        low, high = connection.ops.integer_field_range(kind)
        if not low <= value <= high:
            raise ValueError("no number of this field")
    return value


def _cursor(row: Model | None, direction: str, ordering: Sequence[str]) -> str | None:
    if row is None:
        return None
    values = [_plain(getattr(row, _field(type(row), name).attname)) for name in ordering]
    return base64.urlsafe_b64encode(json.dumps([direction, *values]).encode()).decode()


def _opposite(name: str) -> str:
    return name[1:] if name.startswith("-") else f"-{name}"


def _field(model: type[Model], name: str) -> Any:
    return model._meta.get_field(name.removeprefix("-"))


def _plain(value: Any) -> Any:
    if isinstance(value, UUID):
        return str(value)
    return value.isoformat() if hasattr(value, "isoformat") else value


def _behind(names: Sequence[str], last: Sequence[Any]) -> Q:
    """Return `(a, b) > (x, y)`, with the bound on `a` by itself so that an index can begin there."""
    if not last:
        return Q()
    beyond = Q()
    for depth in range(len(names)):
        step = {name.removeprefix("-"): value for name, value in zip(names[:depth], last[:depth], strict=True)}
        beyond |= Q(**step, **{_compare(names[depth], ""): last[depth]})
    return Q(**{_compare(names[0], "e"): last[0]}) & beyond


def _compare(name: str, equal: str) -> str:
    return f"{name.removeprefix('-')}__{'lt' if name.startswith('-') else 'gt'}{equal}"
