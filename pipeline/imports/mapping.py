"""The mapping of columns: which one goes where, as a person says it.

A list of `{"from": <column>, "to": <target>, "type": …}` and of constants `{"value": …, "to": <target>}`. `"to": null`
leaves the column out, and `"from": "*"` means all columns that the mapping does not name.

| target | what the column holds |
|---|---|
| `user` | the customer's own user id |
| `uuid`, `pl`, `euid`, `devid_g` … `idmd5` | other ids, as in a file without a mapping |
| `at` | since when the row is true |
| `last_seen` | when the user was last seen at the pixel |
| `attribute.<path>` | an attribute; `type` says as what its values are read, where it has no type yet |
| `dimension.<name>` | a dimension of `/dp` |
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from core.patterns import has_control, has_surrogate
from pipeline.imports.column_names import USER_COLUMNS, path_of
from pipeline.imports.errors import BadRowError, UnfitOptionError
from profiles.events.dimensions import DIMENSIONS
from profiles.models import Attribute

ALL_OTHERS = "*"
USER, LAST_SEEN = "user", "last_seen"
ATTRIBUTE, DIMENSION = "attribute.", "dimension."
MOST_COLUMNS = 2_000
LONGEST = 400  # characters of a name, or of a constant
TYPES = [type_ for type_ in Attribute.Type.values if type_ != Attribute.Type.MIXED]
_KEYS = {"from", "value", "to", "type"}
_NO_TARGET = (
    "`to` is null, user, uuid, pl, euid, the id of a device, at, last_seen, attribute.<path>, or dimension.<name>"
)


class Mapped(msgspec.Struct, frozen=True, omit_defaults=True, rename={"column": "from"}):
    """What becomes of a column, or where a constant goes. `to`: empty: it is left out."""

    column: str = ""
    value: str | int | float | bool | None = None
    to: str = ""
    type: str = ""


def mapped_of(rows: Sequence[Any]) -> tuple[Mapped, ...]:
    """Reads the rows of a mapping. Raises UnfitOptionError, which names the row."""
    found = []
    for number, row in enumerate(rows, 1):
        if fault := _fault(row):
            raise UnfitOptionError(f"row {number}: {fault}")
        value = row.get("value")
        found.append(Mapped(row.get("from") or "", value, row.get("to") or "", row.get("type") or ""))
    for what, names in (("column", [one.column for one in found]), ("target", [one.to for one in found])):
        if twice := _repeated(name for name in names if name):
            raise UnfitOptionError(f"there are two rows for the {what} {twice}")
    return tuple(found)


def _fault(row: Any) -> str:
    """Returns what is wrong with a row; empty: nothing."""
    if not isinstance(row, dict) or not row.keys() <= _KEYS or "to" not in row:
        return 'is an object {"from", "to", "type"} or {"value", "to"}'
    if ("from" in row) == ("value" in row):
        return "has `from` or `value`, one of them"
    return _source_fault(row) or _target_fault(row["to"]) or _type_fault(row)


def _source_fault(row: dict[str, Any]) -> str:
    given = row.get("from", row.get("value"))
    if isinstance(given, str) and (len(given) > LONGEST or has_control(given) or has_surrogate(given)):
        return f"holds control characters, or more than {LONGEST} characters"
    if "from" in row:
        if not isinstance(given, str) or not given:
            return "`from` is the name of a column"
        return "all other columns can only be left out" if given == ALL_OTHERS and row["to"] else ""
    if not isinstance(given, str | int | float) or given == "":
        return "`value` is a text, a number, true or false"
    return "" if row["to"] else "a constant needs a target"


def _target_fault(to: Any) -> str:
    if to is None or to == "":
        return ""
    if not isinstance(to, str) or len(to) > LONGEST or has_control(to) or has_surrogate(to):
        return _NO_TARGET
    if to.startswith(DIMENSION):
        return "" if to.removeprefix(DIMENSION) in DIMENSIONS else f"there is no dimension {to[len(DIMENSION) :]}"
    if to.startswith(ATTRIBUTE):
        try:
            path_of(to.removeprefix(ATTRIBUTE))
        except BadRowError as fault:
            return str(fault)
        return ""
    return "" if to in {USER, LAST_SEEN} | USER_COLUMNS else _NO_TARGET


def _type_fault(row: dict[str, Any]) -> str:
    type_ = row.get("type")
    if not type_:
        return ""
    if type_ not in TYPES or "value" in row or not str(row["to"]).startswith(ATTRIBUTE):
        return f"`type` is one of {', '.join(TYPES)}, of a column that is an attribute"
    return ""


def _repeated(names: Iterable[str]) -> str:
    return next((name for name, times in Counter(names).items() if times > 1), "")
