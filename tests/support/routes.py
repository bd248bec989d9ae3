"""Every route of the console's door (console and REST API), as Django resolves it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, get_resolver

METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True, slots=True)
class Route:
    """`pattern` is what the address is matched with; `view` names what answers."""

    pattern: str
    view: Any

    @property
    def methods(self) -> set[str]:
        """The methods that the view itself names; of a plain function, none."""
        actions: dict[str, str] = getattr(self.view, "actions", None) or {}
        view_class: Any = getattr(self.view, "cls", None)
        if actions:
            return {one for one in METHODS if one in actions and one in view_class.http_method_names}
        return {one for one in METHODS if hasattr(view_class, one)}


def routes() -> Iterator[Route]:
    yield from _flat(get_resolver().url_patterns, "")


def _flat(patterns: Iterable[Any], prefix: str) -> Iterator[Route]:
    for one in patterns:
        pattern = prefix + str(one.pattern)
        if isinstance(one, URLPattern):
            yield Route(pattern, one.callback)
        else:
            yield from _flat(one.url_patterns, pattern)
