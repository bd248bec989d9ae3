"""How much may come of what others have packed, wherever it comes in."""

UNJUDGED = 64 * 1024**2
"""Bytes that anything may unpack to: below, the ratio says little."""
MOST_RATIO = 200
"""How well real data can be packed: text with many empty cells 50 times."""
DEFAULT_BYTES = 16 * 1024**3
"""What a file that is not packed may have, too."""


def fault(packed: int, unpacked: int, most: int) -> str:
    """Return why no more of it is unpacked; empty: go on. `packed`, `unpacked`: bytes so far; `most`: bytes in all."""
    if unpacked > most:
        return f"it unpacks to more than {most} bytes: send it in parts"
    if unpacked > UNJUDGED and unpacked > MOST_RATIO * packed:
        return f"it unpacks to more than {MOST_RATIO} times its size"
    return ""
