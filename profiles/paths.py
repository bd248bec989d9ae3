r"""Dotted paths: `Address.City` names the key `City` of the object under the key `Address`.

Keys may contain dots themselves: there `\.` stands for the dot and `\\` for a backslash, so each path
names one place and each place has one path. Paths enter objects only, never lists.

`check_name` is the rule for names that people and files give: every door that makes an attribute applies it.
`keys_of` reads names that are stored already: whatever stands there, it raises nothing.
"""

from collections.abc import Iterable

from core.patterns import has_control, has_surrogate

LONGEST = 400
"""Characters of the path of an attribute."""

DEEPEST = 32
"""Keys of a path: as deep as the data of an event may be."""


def split_path(path: str) -> tuple[str, ...]:
    """Returns the keys of a path. Raises ValueError for an empty key or a stray backslash."""
    keys = path.split(".") if "\\" not in path else _split_with_escapes(path)
    if not all(keys):
        raise ValueError("must be keys joined by dots")
    return tuple(keys)


def _split_with_escapes(path: str) -> list[str]:
    keys, key, signs = [], "", iter(path)
    for sign in signs:
        if sign == ".":
            keys.append(key)
            key = ""
        elif sign == "\\":
            escaped = next(signs, "")
            if escaped not in {".", "\\"}:
                raise ValueError("must be keys joined by dots")
            key += escaped
        else:
            key += sign
    return [*keys, key]


def keys_of(path: str) -> tuple[str, ...] | None:
    """Returns the keys of a path that is stored; None where it is none."""
    try:
        return split_path(path)
    except ValueError:
        return None


def top_level(path: str) -> str:
    """Returns the top-level key of a stored path. A text that is no path is taken as one key: it names nothing."""
    keys = keys_of(path)
    return path if keys is None else keys[0]


def check_name(path: str) -> None:
    """Raises ValueError where no attribute may have this path. The message goes on after the name of the field."""
    if len(path) > LONGEST:
        raise ValueError(f"must have {LONGEST} characters at most")
    if len(split_path(path)) > DEEPEST:
        raise ValueError(f"must have {DEEPEST} keys at most")
    if has_control(path) or has_surrogate(path):
        raise ValueError("must not hold control characters")


def join_path(keys: Iterable[str]) -> str:
    """Returns the path that `split_path` splits into these keys."""
    return ".".join(key.replace("\\", "\\\\").replace(".", "\\.") for key in keys)
