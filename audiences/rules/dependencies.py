"""What a rule's answer depends on: only a change of one of these can change it, or time."""

from audiences.rules.nodes import (
    Active,
    ActivityWindow,
    Belonging,
    CountTest,
    Group,
    Node,
    SplitTest,
    ValueTest,
    ValueWindow,
)

ANY_PIXEL = "pixel.*"


def dependencies(node: Node) -> frozenset[str]:
    """Keys `attribute.<top-level key>`, `dimension.<name>`, `pixel.<id>`, `audience.<id>`, `platform.<pl>`; `pixel.*`
    for any pixel. A split depends on nothing: who the user is never changes.

    The top-level key stands as the data writes it, unescaped.
    """
    match node:
        case Group():
            return frozenset().union(*(dependencies(child) for child in node.children))
        case ValueTest() | ValueWindow():
            return frozenset({f"{node.field.source}.{node.field.keys[0]}"})
        case CountTest() | ActivityWindow():
            return frozenset({f"pixel.{node.pixel}"})
        case Belonging():
            return frozenset(f"{node.kind}.{number}" for number in node.ids)
        case Active():
            return frozenset({ANY_PIXEL})
        case SplitTest():
            return frozenset()
