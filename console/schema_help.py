"""JSON Schemas as help for people: what can be set, what kind of value it takes, what it means."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Schema = dict[str, Any]


@dataclass(frozen=True, slots=True)
class SchemaField:
    """`default`: as JSON would write it, or “required”."""

    name: str
    kind: str
    default: str
    hint: str


def fields(schema: Schema) -> list[SchemaField]:
    """Return one for each member: those of inner objects by their path, those of alternatives one after the other."""
    return list(_members(schema, schema.get("$defs", {}), ""))


def _members(schema: Schema, definitions: Schema, path: str) -> Iterator[SchemaField]:
    schema = _resolved(schema, definitions)
    for choice in schema.get("anyOf", ()):
        yield from _members(choice, definitions, path)
    required = set(schema.get("required", ()))
    for name, member in schema.get("properties", {}).items():
        place = f"{path}{name}"
        yield SchemaField(
            place, _kind(member, definitions), _default(name, member, required), member.get("description", "")
        )
        for inner in _inside(member, definitions):
            yield from _members(inner, definitions, f"{place}.")


def _inside(member: Schema, definitions: Schema) -> list[Schema]:
    """Objects that the member is, may be, or lists."""
    if "items" in member:
        return _inside(member["items"], definitions)
    alternatives = [_resolved(one, definitions) for one in member.get("anyOf", [member])]
    return [one for one in alternatives if "properties" in one]


def _resolved(schema: Schema, definitions: Schema) -> Schema:
    name = schema.get("$ref", "").rpartition("/")[2]
    found: Schema = definitions[name] if name else schema
    return found


def _kind(member: Schema, definitions: Schema) -> str:
    if "enum" in member:
        return " | ".join(map(str, member["enum"]))
    if "anyOf" in member:
        kinds = [_kind(one, definitions) for one in member["anyOf"]]
        return " | ".join(kind for kind in dict.fromkeys(kinds) if kind != "null")
    if member.get("type") == "array":
        return f"list of {_kind(member['items'], definitions)}"
    resolved = _resolved(member, definitions)
    if "anyOf" in resolved:
        return _kind(resolved, definitions)
    return str(resolved.get("type", "any")) + _bounds(member)


def _bounds(member: Schema) -> str:
    low, high = member.get("minimum"), member.get("maximum")
    if low is None and high is None:
        return ""
    return f" from {low}" + ("" if high is None or high >= 2**31 else f" to {high}")


def _default(name: str, member: Schema, required: set[str]) -> str:
    if name in required:
        return "required"
    default = member.get("default")
    return "" if default in (None, "", [], {}) else str(default).lower() if isinstance(default, bool) else str(default)
