"""What is wrong with a rule, and where."""

import json
from dataclasses import dataclass

SHOWN = 60


@dataclass(frozen=True, slots=True)
class Fault:
    """`place` is a path into the rule's JSON, e.g. `rules[1].rules[0].value`; empty for the rule itself."""

    place: str
    message: str


class RuleError(ValueError):
    """The rule is refused; `errors` holds every fault found, in the order of the rule."""

    def __init__(self, errors: list[Fault]) -> None:
        self.errors = tuple(errors)
        super().__init__("; ".join(f"{fault.place or 'rule'}: {fault.message}" for fault in errors))


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in the rule being read; faults found there are noted, not raised."""

    place: str
    faults: list[Fault]

    def key(self, name: str) -> "Spot":
        return Spot(f"{self.place}.{name}" if self.place else name, self.faults)

    def item(self, index: int) -> "Spot":
        return Spot(f"{self.place}[{index}]", self.faults)

    def refuse(self, message: str) -> None:
        self.faults.append(Fault(self.place, message))


def shown(text: str) -> str:
    """A user's text, safe to repeat in a message: quoted, ASCII, short."""
    return json.dumps(text if len(text) <= SHOWN else text[:SHOWN] + "...")
