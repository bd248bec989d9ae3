"""The columns of an export: the hub's user id, since when somebody is a member, attributes and dimensions."""

from collections.abc import Sequence
from dataclasses import dataclass

from core.models import Customer
from core.patterns import whole
from pipeline.cells import TEXT
from pipeline.imports.column_names import USER_COLUMNS
from profiles.models import Attribute
from profiles.paths import keys_of

MOST_COLUMNS = 200
USER, SINCE = "user_id", "since"
DEFAULT = (USER,)
_DIMENSION = "dimension."
is_dimension = whole(r"[A-Za-z_][A-Za-z0-9_]{0,63}+")


class UnknownFieldError(ValueError):
    """A field that cannot be exported; the message says why."""


@dataclass(frozen=True, slots=True)
class Column:
    """`name`: as it was asked for; `header`: as it stands in the file, so that an import reads it as the same.

    `keys`: of a value, where it stands in the profile's attributes or dimensions. `type`: of an attribute; of one
    that is not enabled, mixed.
    """

    name: str
    header: str
    keys: tuple[str, ...] = ()
    type: str = "mixed"

    @property
    def in_dimensions(self) -> bool:
        return self.name.startswith(_DIMENSION)


def columns_of(customer: Customer, names: Sequence[str]) -> tuple[Column, ...]:
    """Returns the columns. `names` as rules name fields, with `user_id` and `since`; none: the user id only.

    Raises UnknownFieldError for what the customer does not have.
    """
    wanted = list(names) or list(DEFAULT)
    if len(wanted) > MOST_COLUMNS:
        raise UnknownFieldError(f"there may be {MOST_COLUMNS} fields at most")
    twice = next((name for name in wanted if wanted.count(name) > 1), None)
    if twice is not None:
        raise UnknownFieldError(f"{twice[:100]} is named twice")
    rows = Attribute.objects.filter(customer=customer).values_list("path", "type", "enabled")
    types = {path: type_ if enabled else Attribute.Type.MIXED.value for path, type_, enabled in rows}
    return tuple(_column(name, types) for name in wanted)


def _column(name: str, types: dict[str, str]) -> Column:
    if name == USER:
        return Column(name, "uuid")
    if name == SINCE:
        return Column(name, SINCE, type="time")
    family, _, rest = name.partition(".")
    if family == "dimension" and is_dimension(rest):
        return Column(name, name, (rest,), TEXT)
    keys = keys_of(rest) if family == "attribute" and rest in types else None
    if keys is not None:
        header = name if rest in USER_COLUMNS else rest
        return Column(name, header, keys, types[rest])
    raise UnknownFieldError(
        f"{name[:100]}: there is user_id, since, dimension.<name>, and attribute.<path> of an attribute that was seen"
    )
