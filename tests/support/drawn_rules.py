"""Rules that hypothesis draws, before it is known which pixel, platform and audiences they ask about."""

from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st

Drawn = tuple[str, bool, list[Any]]
"""Combinator, negated or not, and conditions: (field, operator, value), with days where a pixel is counted.

`pixel.…`, `platform` and `audience` name no number: the value of `audience` counts the audiences from 0.
"""

amounts = st.tuples(st.just("attribute.amount"), st.sampled_from(["<", ">=", "!="]), st.integers(0, 4))
recency = st.tuples(
    st.just("pixel.last"), st.sampled_from(["withinLast", "notWithinLast"]), st.sampled_from(["PT6H", "P1D", "P3D"])
)
platforms = st.tuples(st.just("platform"), st.sampled_from(["in", "notIn"]), st.just(0))
halves = st.tuples(st.just("split.half"), st.just("<"), st.sampled_from([30, 50]))


def frequencies(operators: Sequence[str]) -> st.SearchStrategy[Any]:
    counted = st.sampled_from([1, 2, 7])
    return st.tuples(st.just("pixel.count"), st.sampled_from(operators), st.integers(1, 3), counted)


def audiences(numbers: Sequence[int]) -> st.SearchStrategy[Any]:
    return st.tuples(st.just("audience"), st.sampled_from(["in", "notIn"]), st.sampled_from(numbers))


def rules_of(*conditions: st.SearchStrategy[Any], most: int) -> st.SearchStrategy[Drawn]:
    parts = st.lists(st.one_of(*conditions), min_size=1, max_size=most)
    return st.tuples(st.sampled_from(["and", "or"]), st.booleans(), parts)


def written(drawn: Drawn, *, pixel: int, platform: int, audiences: Sequence[int]) -> dict[str, Any]:
    """Returns the rule as JSON. `audiences`: those about which it may ask; what asks about another is left out."""
    combinator, negated, parts = drawn
    conditions = [_condition(part, pixel, platform, audiences.__getitem__) for part in parts if _may(part, audiences)]
    spare = {"field": "attribute.amount", "operator": ">=", "value": 2}
    return {"combinator": combinator, "not": negated, "rules": conditions or [spare]}


def _may(part: Sequence[Any], audiences: Sequence[int]) -> bool:
    return part[0] != "audience" or int(part[2]) < len(audiences)


def _condition(part: Sequence[Any], pixel: int, platform: int, audience_of: Callable[[int], int]) -> dict[str, Any]:
    field, operator, value, *days = part
    if field == "audience":
        value = audience_of(value)
    if field == "platform":
        value = platform
    more = {"days": days[0]} if days else {}
    return {"field": field.replace("pixel.", f"pixel.{pixel}."), "operator": operator, "value": value, **more}
