"""What is wrong with a rule, and where in its JSON."""

import json
from dataclasses import dataclass

SHOWN = 60


@dataclass(frozen=True, slots=True)
class RuleFault:
    """One thing that is wrong. `path` leads into the rule's JSON, e.g. `rules[1].rules[0].value`; empty: the rule."""

    path: str
    message: str


class RuleError(ValueError):
    """The rule is refused. `errors` holds every fault found, in the order of the rule."""

    def __init__(self, errors: list[RuleFault]) -> None:
        self.errors = tuple(errors)
        super().__init__("; ".join(f"{fault.path or 'rule'}: {fault.message}" for fault in errors))


@dataclass(frozen=True, slots=True)
class Location:
    """A place in the rule that is being read. Faults found there are collected in `faults`, not raised."""

    path: str
    faults: list[RuleFault]

    def key(self, name: str) -> "Location":
        return Location(f"{self.path}.{name}" if self.path else name, self.faults)

    def item(self, index: int) -> "Location":
        return Location(f"{self.path}[{index}]", self.faults)

    def refuse(self, message: str) -> None:
        self.faults.append(RuleFault(self.path, message))


def shown(text: str) -> str:
    """Returns a user's text in a form that is safe to repeat in a message: quoted, ASCII, short."""
    return json.dumps(text if len(text) <= SHOWN else text[:SHOWN] + "...")
