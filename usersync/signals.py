"""The consent signals of a request as they go on to platforms."""

from collections.abc import Mapping

from core.query import Parameters
from usersync.consent import PARAMETERS

NAMES = tuple(sorted(PARAMETERS))

LONGEST = 4000
"""Characters of all together: they go out twice, and with more the address outgrows what servers take."""

Signals = Mapping[str, str]

_NONE: Signals = {}


def passed_on(values: Parameters) -> Signals | None:
    """The signals of a request as they came; None where they cannot be passed on unmodified."""
    found = {name: values[name] for name in NAMES if name in values}
    if not found:
        return _NONE
    texts = {name: value for name, value in found.items() if value is not None}
    if len(texts) < len(found) or sum(map(len, texts.values())) > LONGEST:
        return None
    return texts
