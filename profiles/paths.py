r"""Dotted paths: `Address.City` names the key `City` of the object under the key `Address`.

Keys may contain dots themselves: there `\.` stands for the dot and `\\` for a backslash, so each path
names one place and each place has one path. Paths enter objects only, never lists.
"""

import re
from collections.abc import Iterable

_KEY = re.compile(r"(?:[^.\\]|\\[.\\])+")


def split_path(path: str) -> tuple[str, ...]:
    """Returns the keys of a path. Raises ValueError for an empty key or a stray backslash."""
    keys: list[str] = []
    end = -1
    while end < len(path):
        found = _KEY.match(path, end + 1)
        if found is None or path[found.end() : found.end() + 1] not in ("", "."):
            raise ValueError("must be keys joined by dots")
        keys.append(re.sub(r"\\(.)", r"\1", found[0]))
        end = found.end()
    return tuple(keys)


def join_path(keys: Iterable[str]) -> str:
    """Returns the path that `split_path` splits into these keys."""
    return ".".join(re.sub(r"([.\\])", r"\\\1", key) for key in keys)
