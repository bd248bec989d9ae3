"""Request templates: text and JSON documents with `{{placeholders}}`, compiled once.

Templates are data, not code: nothing in them is ever executed. In a URL a value is percent-encoded. In JSON, a string
that is only one placeholder becomes the value itself, in its own type; elsewhere the value is inserted as text.
`{{attribute.<path>}}` is an attribute of the row's user, by its dotted path.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import quote

# the placeholders of a request that creates a segment, of a request for one segment, and of each row in it
SEGMENT_NAMES = frozenset({"name", "audience_id", "timestamp"})
REQUEST_NAMES = SEGMENT_NAMES | {"segment_id", "operation"}
ROW_NAMES = REQUEST_NAMES | {"userid", "user_id", "attribute.<path>"}
ATTRIBUTE = "attribute."

Values = Mapping[str, Any]
Render = Callable[[Values], Any]


class TemplateError(ValueError):
    """A template that cannot work."""


def split(template: str) -> list[str]:
    """Return the constant texts and the names of the placeholders of a text, by turns; the first is constant.

    A placeholder holds no braces; blanks around its name do not count. Takes time in proportion to the text.
    """
    parts: list[str] = []
    start = at = 0
    while (close := template.find("}}", at)) >= 0:
        opening = template.rfind("{", at, close)
        if opening > at and template[opening - 1] == "{" and "}" not in template[opening:close]:
            parts += [template[start : opening - 1], template[opening + 1 : close].strip()]
            start = at = close + 2
        else:
            at = close + 1
    return [*parts, template[start:]]


def names(template: Any) -> set[str]:
    """Return all placeholders of a text or document."""
    if isinstance(template, str):
        return set(split(template)[1::2])
    if isinstance(template, dict):
        return {name for key, value in template.items() for name in names(key) | names(value)}
    if isinstance(template, list):
        return {name for item in template for name in names(item)}
    return set()


def check(template: Any, allowed: frozenset[str]) -> None:
    """Raise `TemplateError` if a placeholder is not allowed."""
    unknown = {name for name in names(template) if not _is_allowed(name, allowed)}
    if unknown:
        known = ", ".join(sorted(allowed))
        raise TemplateError(f"unknown placeholder {{{{{min(unknown)}}}}}; known here: {known}")


def _is_allowed(name: str, allowed: frozenset[str]) -> bool:
    if name.startswith(ATTRIBUTE):
        return f"{ATTRIBUTE}<path>" in allowed and all(name.split("."))
    return name in allowed


def attribute_paths(template: Any) -> frozenset[str]:
    """Return the dotted paths of the attributes that a text or document needs."""
    return frozenset(name.removeprefix(ATTRIBUTE) for name in names(template) if name.startswith(ATTRIBUTE))


def attribute_values(paths: Iterable[str], attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of attribute placeholders; None if the user has no such attribute."""
    return {f"{ATTRIBUTE}{path}": value_at(attributes, path) for path in paths}


def value_at(attributes: Mapping[str, Any], path: str) -> Any:
    """Return the value at a dotted path; None if there is none."""
    value: Any = attributes
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def text(template: str, encode: Callable[[str], str] = str) -> Callable[[Values], str]:
    """Compile a text with placeholders. `encode` is applied to each value."""
    parts = split(template)

    def render(values: Values) -> str:
        return "".join(encode(as_text(values[part])) if odd else part for odd, part in _alternating(parts))

    return render if len(parts) > 1 else lambda _: template


def url(template: str) -> Callable[[Values], str]:
    """Compile a URL. Values are percent-encoded."""
    return text(template, lambda value: quote(value, safe=""))


def document(template: Any) -> Render:
    """Compile a JSON document."""
    if isinstance(template, str):
        parts = split(template)
        if len(parts) == 3 and not parts[0] and not parts[2]:
            return lambda values: values[parts[1]]
        return text(template)
    if isinstance(template, dict):
        members = [(text(key), document(value)) for key, value in template.items()]
        return lambda values: {key(values): value(values) for key, value in members}
    if isinstance(template, list):
        items = [document(item) for item in template]
        return lambda values: [item(values) for item in items]
    return lambda _: template


def batch(template: Any) -> Callable[[list[Values]], Any]:
    """Compile a document whose one-element list (itself, or one of its members) is repeated for each row.

    Raises `TemplateError` if there is no such list.
    """
    if _repeats(template):
        row = document(template[0])
        return lambda rows: [row(values) for values in rows]
    if isinstance(template, dict):
        repeated = [key for key, value in template.items() if _repeats(value)]
        if len(repeated) == 1:
            key = repeated[0]
            row = document(template[key][0])
            rest = document({name: value for name, value in template.items() if name != key})
            return lambda rows: rest(rows[0]) | {key: [row(values) for values in rows]}
    raise TemplateError("a batch needs a list of one row: the body itself or one of its members")


def outside_rows(template: Any) -> Any:
    """Return the part of a batch document that is not repeated for each row."""
    if isinstance(template, dict):
        return {key: value for key, value in template.items() if not _repeats(value)}
    return None


def as_text(value: Any) -> str:
    """Return a value as text: empty for None, JSON for booleans, lists and objects."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | dict | list):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return "" if value is None else str(value)


def _repeats(template: Any) -> bool:
    return isinstance(template, list) and len(template) == 1


def _alternating(parts: list[str]) -> list[tuple[int, str]]:
    return [(index % 2, part) for index, part in enumerate(parts)]
