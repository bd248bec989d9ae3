"""What a rule's answer depends on: only a change of one of these can change it, or time."""

from audiences.rules.nodes import ActivityWindow, Belonging, CountTest, Group, Node, ValueTest, ValueWindow


def dependencies(node: Node) -> frozenset[str]:
    """Keys `attribute.<top-level key>`, `dimension.<name>`, `pixel.<id>`, `audience.<id>`, `platform.<pl>`.

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
