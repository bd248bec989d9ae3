"""Ids that were left out of a request because they name nobody: what is noted of them, so that somebody sees it."""

from core.ids.nobody import Nobody

LeftOut = tuple[str, str, str]
"""The kind of the id, why it names nobody, and the id itself where it can be shown; else an empty text."""

LONGEST_EXAMPLE = 40
_SHOWN = frozenset({Nobody.WORD, Nobody.MACRO, Nobody.PLACEHOLDER, Nobody.HASH, Nobody.OWN_WORD})


def left_out(kind: str, value: str, why: Nobody) -> LeftOut:
    """Returns what is noted. A broken or a long text may hold personal data, and is not kept."""
    shown = why in _SHOWN and len(value) <= LONGEST_EXAMPLE and "@" not in value
    return kind, why.value, value if shown else ""
