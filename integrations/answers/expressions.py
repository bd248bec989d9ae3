"""JMESPath on what platforms answer, with a bound on everything: the expression, the steps, and what it makes.

Marketers write expressions, and platforms write what they are applied to. A few characters can double what they are
given, again and again: so an expression makes at most a few new lists or objects, and every step is counted.
"""

from typing import Any

import jmespath
from jmespath.visitor import TreeInterpreter

LONGEST = 500  # characters of an expression
MOST_NODES = 100  # of its tree
MOST_MADE = 32  # members of the lists and objects that it makes, multiplied
MOST_STEPS = 200_000
MOST_SIZE = 32 * 2**20  # characters and members of all that the steps give

_MAKERS = frozenset({"multi_select_list", "multi_select_dict"})
_FAILURES = (
    jmespath.exceptions.JMESPathError,
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)


class ExpressionError(ValueError):
    """The text is no JMESPath, or one that does too much."""


def check(expression: str) -> None:
    """Raises ExpressionError where the expression cannot be used."""
    _parsed(expression)


def search(expression: str, document: Any) -> Any:
    """Returns what the expression finds in a document; None where it finds nothing, or cannot be applied.

    Raises ExpressionError where it cannot be used, or does too much with this document.
    """
    tree = _parsed(expression)
    try:
        return _CountingInterpreter().visit(tree, document)
    except ExpressionError:
        raise
    except _FAILURES:
        return None


def _parsed(expression: str) -> Any:
    if len(expression) > LONGEST:
        raise ExpressionError(f"has more than {LONGEST} characters")
    try:
        tree: Any = jmespath.compile(expression).parsed
        nodes, made = _measure(tree)
    except _FAILURES:
        raise ExpressionError("not a JMESPath") from None
    if nodes > MOST_NODES or made > MOST_MADE:
        raise ExpressionError("does too much")
    return tree


def _measure(tree: Any) -> tuple[int, int]:
    """Returns the number of nodes, and the product of the sizes of the lists and objects that the expression makes."""
    nodes, made, waiting = 0, 1, [tree]
    while waiting:
        node = waiting.pop()
        nodes += 1
        children = [child for child in node["children"] if isinstance(child, dict)]
        if node["type"] in _MAKERS:
            made *= max(2, len(children))
        waiting += children
    return nodes, made


class _CountingInterpreter(TreeInterpreter):
    """Raises ExpressionError once the steps, or what they give, are too much."""

    def __init__(self) -> None:
        super().__init__()
        self._steps = 0
        self._size = 0

    def visit(self, node: Any, *arguments: Any, **options: Any) -> Any:
        self._steps += 1
        found = super().visit(node, *arguments, **options)
        if isinstance(found, str | list | dict):
            self._size += len(found)
        if self._steps > MOST_STEPS or self._size > MOST_SIZE:
            raise ExpressionError("does too much with this answer")
        return found
