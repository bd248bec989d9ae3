"""What the answer of a rule depends on: only a change of one of these things, or time, can change it.

A dependency is a name: `attribute.<top-level key>`, `dimension.<name>`, `pixel.<id>`, `audience.<id>`, `platform.<pl>`,
`list.<id>`, or `pixel.*` for any pixel. A top-level key stands as the data writes it, unescaped.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from audiences.rules.nodes import (
    Active,
    ActivityWindow,
    Belonging,
    CalendarTest,
    CountTest,
    Group,
    Listed,
    MomentField,
    Node,
    SplitTest,
    ValueField,
    ValueTest,
    ValueWindow,
)

ANY_PIXEL = "pixel.*"


def dependencies(node: Node) -> frozenset[str]:
    """Returns the names of what a rule depends on. A split depends on nothing: a user's id never changes."""
    match node:
        case Group():
            return frozenset().union(*(dependencies(child) for child in node.children))
        case ValueTest() | ValueWindow() | CalendarTest():
            return frozenset({_name_of(node.field)})
        case CountTest() | ActivityWindow():
            return frozenset({f"pixel.{node.pixel}"})
        case Belonging():
            return frozenset(f"{node.kind}.{number}" for number in node.ids)
        case Listed():
            return frozenset({f"list.{node.audience}"})
        case Active() | SplitTest():
            return frozenset({ANY_PIXEL} if isinstance(node, Active) else ())


def _name_of(field: ValueField | MomentField) -> str:
    return f"pixel.{field.pixel}" if isinstance(field, MomentField) else f"{field.source}.{field.keys[0]}"


def changes_with_time(node: Node) -> bool:
    """Returns whether the answer may change although nothing happens."""
    match node:
        case Group():
            return any(map(changes_with_time, node.children))
        case CountTest():
            return node.days is not None
        case ValueTest() | Belonging() | SplitTest() | Listed():
            return False
        case ValueWindow() | CalendarTest() | ActivityWindow() | Active():
            return True


def audiences_among(names: Iterable[str]) -> frozenset[int]:
    """Returns the ids of the audiences among some dependencies."""
    return frozenset(int(name.partition(".")[2]) for name in names if name.startswith("audience."))


def with_each_pixel(names: frozenset[str], pixels: Iterable[int]) -> frozenset[str]:
    """Returns the dependencies with `pixel.*` joined by the name of each of these pixels."""
    return names | {f"pixel.{pixel}" for pixel in pixels} if ANY_PIXEL in names else names


@dataclass(frozen=True, slots=True)
class AudienceDependencies:
    """What one audience is built on: the dependencies of its rule, and the audiences among them.

    A lookalike has no rule: it is built on its seed.
    """

    names: frozenset[str] = frozenset()
    audiences: frozenset[int] = frozenset()
    is_lookalike: bool = False

    @classmethod
    def of_rule(cls, rule: Node) -> "AudienceDependencies":
        names = dependencies(rule)
        return cls(names, audiences_among(names))


def audiences_beneath(audience: int, known: Mapping[int, AudienceDependencies]) -> set[int]:
    """Returns the audience itself and all audiences on which it is built, at any depth."""
    reached, pending = set[int](), [audience]
    while pending:
        one = pending.pop()
        if one not in reached:
            reached.add(one)
            pending.extend(known[one].audiences if one in known else ())
    return reached


def is_built_on_lookalike(audience: int, known: Mapping[int, AudienceDependencies]) -> bool:
    """Returns whether the audience is a lookalike, or has one beneath it."""
    return any(known[one].is_lookalike for one in audiences_beneath(audience, known) if one in known)
