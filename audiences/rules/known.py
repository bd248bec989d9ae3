"""Leaves people out of a rule who are in it only because something about them is unknown.

A missing value fulfils every negative condition: who never bought has “not bought within the last 180 days”. That is
what the words say, and often not what is meant. `only_where_known` writes the rule that means the others alone.
"""

from typing import Any

from audiences.rules.operators import PRESENCE, Operator, polarity

_VALUES = ("attribute.", "dimension.")
_MOMENTS = (".first", ".last")

Rule = dict[str, Any]


def only_where_known(group: Rule, *, turned: bool = False) -> Rule:
    """Returns the rule with each condition that a missing value fulfils joined by one that asks for a value.

    `group` was parsed before; `turned`: a group around it is negated. A rule without such conditions comes back equal.
    """
    turned = turned is not bool(group.get("not"))
    joins = "or" if turned else "and"  # what keeps people out of the whole rule, seen from here
    parts: list[Rule] = []
    for part in group["rules"]:
        if "rules" in part:
            parts.append(only_where_known(part, turned=turned))
            continue
        guard = _guard(part, turned=turned)
        if guard is None or guard in parts or guard in group["rules"]:
            parts.append(part)
        elif group["combinator"] == joins:
            parts += [part, guard]
        else:
            parts.append({"combinator": joins, "rules": [part, guard]})
    return {**group, "rules": parts}


def _guard(condition: Rule, *, turned: bool) -> Rule | None:
    """Returns the condition that holds for those whose value is known; where it is turned, for the others.

    None where no value can be missing, or where the rule asks for just that.
    """
    operator, name = Operator(condition["operator"]), condition["field"]
    if operator in PRESENCE or polarity(operator)[1] is turned:
        return None
    if name.startswith(_VALUES):
        return {"field": name, "operator": (Operator.NULL if turned else Operator.NOT_NULL).value}
    if name.startswith("pixel.") and name.endswith(_MOMENTS):
        count = f"{name.rpartition('.')[0]}.count"
        asked, least = ("=", 0) if turned else (">=", 1)
        return {"field": count, "operator": asked, "value": least}
    return None
