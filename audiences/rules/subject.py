"""The user for whom a rule is evaluated."""

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias
from uuid import UUID

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"


class Subject(Protocol):
    """One profile with its memberships, as stored.

    `activity` is `{"<pixel>": {"first": ms, "last": ms, "total": n, "days": {"<days since 1970>": n}}}` with
    unix milliseconds. Attributes of type time are unix seconds.
    """

    @property
    def user_id(self) -> UUID: ...

    @property
    def attributes(self) -> Mapping[str, Json]: ...

    @property
    def dimensions(self) -> Mapping[str, Json]: ...

    @property
    def activity(self) -> Mapping[str, Mapping[str, Any]]: ...

    @property
    def audiences(self) -> Container[int]: ...

    @property
    def platforms(self) -> Container[int]: ...

    @property
    def lists(self) -> Container[int]: ...


NOBODY = UUID(int=0)


@dataclass(slots=True)
class PlainSubject:
    """A subject in plain values."""

    attributes: Mapping[str, Json] = field(default_factory=dict)
    dimensions: Mapping[str, Json] = field(default_factory=dict)
    activity: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    audiences: Container[int] = ()
    platforms: Container[int] = ()
    user_id: UUID = NOBODY
    lists: Container[int] = ()


def value_reader(keys: tuple[str, ...], *, in_dimensions: bool) -> Callable[[Subject], Json]:
    """Returns a function that reads one value of a subject; None: the subject holds nothing there.

    `keys` are a dimension's name, or lead to an attribute from the top. Lists are not entered.
    """
    top, *rest = keys
    if in_dimensions:
        return lambda subject: subject.dimensions.get(top)
    if not rest:
        return lambda subject: subject.attributes.get(top)

    def nested(subject: Subject) -> Json:
        value = subject.attributes.get(top)
        for key in rest:
            if type(value) is not dict:
                return None
            value = value.get(key)
        return value

    return nested
