"""PostgreSQL's binary arrays, written straight from Python values.

psycopg's own list dumpers ask every element for its type: a batch of a few hundred rows then costs more in them than in
all the rest. Each class here is one array type; `of` takes its values. A connection must be told of them (`register`)
before it can take one as a parameter. Nothing here checks values beyond what fits into the type.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import repeat
from struct import Struct
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection, Connection
from psycopg.adapt import Buffer, Dumper
from psycopg.pq import Format

_HEADER = Struct(">iiIii").pack  # dimensions, has nulls, element type, length, lower bound
_SMALL = Struct(">ih").pack
_SMALLS = {value: _SMALL(2, value) for value in range(256)}  # buckets
_INT = Struct(">ii").pack
_BIG = Struct(">iq").pack
_FALSE, _TRUE = map(Struct(">i?").pack, repeat(1), (False, True))
_LENGTH = Struct(">i").pack
_MOMENT = Struct(">iq").pack
_NULL = _LENGTH(-1)
_UUID = _LENGTH(16)

_EPOCH = 946_684_800_000_000  # 2000-01-01 in unix microseconds


class Array:
    """An encoded parameter; its class is its type in PostgreSQL."""

    __slots__ = ("encoded",)
    element_oid = 0

    def __init__(self, elements: Iterable[bytes], length: int) -> None:
        self.encoded = _HEADER(1, 1, self.element_oid, length, 1) + b"".join(elements)


class SmallInts(Array):
    """smallint[]. Raises struct.error for what does not fit."""

    element_oid = 21

    @classmethod
    def of(cls, values: Sequence[int]) -> "SmallInts":
        try:
            return cls(map(_SMALLS.__getitem__, values), len(values))
        except KeyError:
            return cls(map(_SMALL, repeat(2), values), len(values))


class Ints(Array):
    """integer[]. Raises struct.error for what does not fit."""

    element_oid = 23

    @classmethod
    def of(cls, values: Sequence[int]) -> "Ints":
        return cls(map(_INT, repeat(4), values), len(values))


class BigInts(Array):
    """bigint[]. Raises struct.error for what does not fit."""

    element_oid = 20

    @classmethod
    def of(cls, values: Sequence[int]) -> "BigInts":
        return cls(map(_BIG, repeat(8), values), len(values))


class Bools(Array):
    """boolean[]."""

    element_oid = 16

    @classmethod
    def of(cls, values: Sequence[bool]) -> "Bools":
        return cls([_TRUE if value else _FALSE for value in values], len(values))


class Texts(Array):
    """text[], from str or from UTF-8; with nulls."""

    element_oid = 25

    @classmethod
    def of(cls, values: Sequence[str | bytes | None]) -> "Texts":
        encoded = [value.encode() if isinstance(value, str) else value for value in values]
        return cls([_NULL if e is None else _LENGTH(len(e)) + e for e in encoded], len(values))


class Uuids(Array):
    """uuid[], with nulls."""

    element_oid = 2950

    @classmethod
    def of(cls, values: Sequence[UUID | None]) -> "Uuids":
        return cls([_NULL if value is None else _UUID + value.int.to_bytes(16, "big") for value in values], len(values))


class Byteas(Array):
    """bytea[], with nulls."""

    element_oid = 17

    @classmethod
    def of(cls, values: Sequence[bytes | None]) -> "Byteas":
        encoded = [_NULL if value is None else _LENGTH(len(value)) + value for value in values]
        return cls(encoded, len(values))


class Moments(Array):
    """timestamptz[], from unix microseconds."""

    element_oid = 1184

    @classmethod
    def of(cls, values: Sequence[int]) -> "Moments":
        return cls([_MOMENT(8, value - _EPOCH) for value in values], len(values))


class Times(Array):
    """timestamptz[], from datetimes with a zone; with nulls."""

    element_oid = 1184

    @classmethod
    def of(cls, values: Sequence[datetime | None]) -> "Times":
        encoded = [_NULL if v is None else _MOMENT(8, round(v.timestamp() * 1_000_000) - _EPOCH) for v in values]
        return cls(encoded, len(values))


Column = SmallInts | Ints | BigInts | Bools | Texts | Uuids | Byteas | Moments | Times


def columns(types: Sequence[type[Column]], rows: Sequence[Sequence[Any]]) -> list[Column]:
    """Returns rows as one array for each column: the parameters of an `unnest`."""
    if not rows:
        return [kind.of([]) for kind in types]
    return [kind.of(column) for kind, column in zip(types, zip(*rows, strict=True), strict=True)]


def _dumper(array_oid: int) -> type[Dumper]:
    class ArrayDumper(Dumper):
        format = Format.BINARY
        oid = array_oid

        def dump(self, obj: Array) -> Buffer:
            return obj.encoded

    return ArrayDumper


_DUMPERS: dict[type[Array], type[Dumper]] = {
    SmallInts: _dumper(1005),
    Ints: _dumper(1007),
    BigInts: _dumper(1016),
    Bools: _dumper(1000),
    Texts: _dumper(1009),
    Uuids: _dumper(2951),
    Byteas: _dumper(1001),
    Moments: _dumper(1185),
    Times: _dumper(1185),
}


def register(connection: AsyncConnection | Connection) -> None:
    """Let a connection take these arrays as parameters."""
    for kind, dumper in _DUMPERS.items():
        connection.adapters.register_dumper(kind, dumper)
