"""Every audience of the hub, compiled: read once per configuration version, shared by all batches."""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from audiences.models import Audience
from audiences.rules.dependencies import ANY_PIXEL, dependencies
from audiences.rules.errors import RuleError
from audiences.rules.evaluate import Predicate, compile_rule
from audiences.rules.nodes import Group
from audiences.rules.parse import expiring, parse
from audiences.rules.prefilter import Gates
from audiences.rules.subject import Subject
from audiences.schema import CustomerSchema, schemas
from lookalikes.catalogue import Scored, lookalikes_in_force

ANSWERS_KEPT = 10_000
FROZEN = (Audience.Status.PAUSED, Audience.Status.DELETING)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CompiledAudience:
    """`rank` orders audiences so that one comes after those it asks about.

    Where there is no `rule` that SQL could read, the predicate alone decides, user by user.
    """

    id: int
    customer: int
    version: int
    rule: Group | None
    predicate: Predicate
    dependencies: frozenset[str]
    audiences: frozenset[int]
    asks_platforms: bool
    rank: int


class Selection:
    """Audiences in order of rank, to be asked together about many profiles."""

    def __init__(self, audiences: Iterable[CompiledAudience]) -> None:
        self.audiences = tuple(audiences)
        self.ids = frozenset(number for audience in self.audiences for number in (audience.id, *audience.audiences))
        self.asks_platforms = any(audience.asks_platforms for audience in self.audiences)
        self._places = {audience.id: place for place, audience in enumerate(self.audiences)}
        self._gates = Gates(audience.rule for audience in self.audiences)

    def in_question(self, subject: Subject, noted: Iterable[int]) -> Iterable[CompiledAudience]:
        """Those that may hold the subject, now or when time has passed, and those of `noted`, which hold it or wait
        for a moment to look again. All others would say no, and have said so before."""
        places = self._gates.open_to(subject)
        places.update(self._places[audience] for audience in noted if audience in self._places)
        return [self.audiences[place] for place in sorted(places)]


@dataclass(slots=True)
class Audiences:
    """Lookups by what an audience depends on."""

    by_id: dict[int, CompiledAudience] = field(default_factory=dict)
    by_customer: dict[int, list[CompiledAudience]] = field(default_factory=lambda: defaultdict(list))
    by_dependency: dict[tuple[int, str], list[CompiledAudience]] = field(default_factory=lambda: defaultdict(list))
    _all: dict[int, Selection] = field(default_factory=dict)
    _affected: dict[tuple[int, frozenset[str]], Selection] = field(default_factory=dict)

    def all_of(self, customer: int) -> Selection:
        if customer not in self._all:
            self._all[customer] = Selection(self.by_customer.get(customer, ()))
        return self._all[customer]

    def affected(self, customer: int, changed: frozenset[str]) -> Selection:
        """The audiences whose answer a change of these can change, those that follow from them included.

        Events change the same few things again and again, so answers are kept.
        """
        known = self._affected.get((customer, changed))
        if known is None:
            if len(self._affected) >= ANSWERS_KEPT:
                self._affected.clear()
            known = self._affected[customer, changed] = Selection(self._find_affected(customer, changed))
        return known

    def asking(self, audience: CompiledAudience) -> Sequence[CompiledAudience]:
        """The audiences that ask about this one, at any depth, in order of rank."""
        return self.affected(audience.customer, frozenset({f"audience.{audience.id}"})).audiences

    def _find_affected(self, customer: int, changed: Iterable[str]) -> list[CompiledAudience]:
        found: dict[int, CompiledAudience] = {}
        pending = list(changed)
        while pending:
            for audience in self.by_dependency.get((customer, pending.pop()), ()):
                if audience.id not in found:
                    found[audience.id] = audience
                    pending.append(f"audience.{audience.id}")
        return sorted(found.values(), key=lambda audience: audience.rank)


def load() -> Audiences:
    """Read and compile every audience that has a rule, or a model."""
    known = schemas()
    rules, lookalikes = _rules(known), lookalikes_in_force()
    asks = {key: frozenset(asked_audiences(rule)) for key, (_, rule) in rules.items()}
    asks |= {key: scored.audiences for key, scored in lookalikes.items()}
    ranks = rank(asks)
    loaded = Audiences()
    for key in sorted(asks, key=lambda key: ranks[key]):
        if key in lookalikes:
            compiled = _compiled_lookalike(lookalikes[key], ranks[key])
        else:
            compiled = _compiled_rule(*rules[key], asks[key], ranks[key])
        loaded.by_id[key] = compiled
        loaded.by_customer[compiled.customer].append(compiled)
        for name in _spelled_out(compiled.dependencies, known(compiled.customer)):
            loaded.by_dependency[compiled.customer, name].append(compiled)
    return loaded


def _compiled_rule(row: Audience, rule: Group, asked: frozenset[int], rank_: int) -> CompiledAudience:
    wanted = dependencies(rule)
    return CompiledAudience(
        row.id,
        row.customer_id,
        row.version,
        rule,
        compile_rule(rule),
        wanted,
        asked,
        any(name.startswith("platform.") for name in wanted),
        rank_,
    )


def _compiled_lookalike(scored: Scored, rank_: int) -> CompiledAudience:
    row = scored.row
    return CompiledAudience(
        row.id,
        row.customer_id,
        row.version,
        None,
        scored.predicate,
        scored.dependencies,
        scored.audiences,
        asks_platforms=False,
        rank=rank_,
    )


def _spelled_out(wanted: frozenset[str], schema: CustomerSchema) -> frozenset[str]:
    """Any pixel: each of the customer's."""
    return wanted | {f"pixel.{pixel}" for pixel in schema.pixels} if ANY_PIXEL in wanted else wanted


def _rules(known: Callable[[int], CustomerSchema]) -> dict[int, tuple[Audience, Group]]:
    """The rules in force. One that lost what it stands on keeps its members as they are."""
    rules = {}
    for row in Audience.objects.filter(kind=Audience.Kind.CUSTOM).exclude(status__in=FROZEN):
        try:
            rules[row.id] = (row, expiring(parse(row.rule, known(row.customer_id)), row.ttl_ms))
        except RuleError as broken:
            log.warning("audience %s cannot be evaluated: %s", row.id, broken)
    return rules


def asked_audiences(rule: Group) -> set[int]:
    """The audiences that a rule asks about."""
    return {int(name.partition(".")[2]) for name in dependencies(rule) if name.startswith("audience.")}


def rank(asks: dict[int, frozenset[int]]) -> dict[int, int]:
    """How deep each audience stands on others. Cycles are refused when rules are saved, so none is left."""
    ranks: dict[int, int] = {}

    def depth(key: int) -> int:
        if key not in ranks:
            ranks[key] = 1 + max((depth(other) for other in asks.get(key, ())), default=-1)
        return ranks[key]

    for key in asks:
        depth(key)
    return ranks
