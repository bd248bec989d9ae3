"""All audiences of the hub, compiled: read once per configuration version, shared by all batches. Never changed."""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from audiences import kinds
from audiences.kinds import DecidedAudience
from audiences.models import Audience
from audiences.references import asked_audiences, depths
from audiences.rules.dependencies import dependencies, with_each_pixel
from audiences.rules.errors import RuleError
from audiences.rules.evaluate import Predicate, compile_rule
from audiences.rules.nodes import Group
from audiences.rules.parse import expiring, parse
from audiences.rules.prefilter import Prefilter
from audiences.rules.subject import Subject
from audiences.schema import CustomerSchema, schemas

SELECTIONS_KEPT = 10_000
FROZEN = (Audience.Status.PAUSED, Audience.Status.DELETING)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CompiledAudience:
    """One audience in force. `rank` orders audiences so that one comes after those it asks about.

    Without a `rule` that SQL could read, the predicate alone decides, user by user.
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
    """Audiences in order of rank, to be evaluated together for many profiles."""

    def __init__(self, audiences: Iterable[CompiledAudience]) -> None:
        self.audiences = tuple(audiences)
        self.ids = frozenset(number for audience in self.audiences for number in (audience.id, *audience.audiences))
        self.asks_platforms = any(audience.asks_platforms for audience in self.audiences)
        self._places = {audience.id: place for place, audience in enumerate(self.audiences)}
        self._prefilter = Prefilter(audience.rule for audience in self.audiences)

    def in_question(self, subject: Subject, noted: Iterable[int]) -> Iterable[CompiledAudience]:
        """Returns the audiences that may hold the subject, now or when time has passed, and those of `noted`: they hold
        it, or wait for a moment to look again. All others would say no, and have said so before.
        """
        places = self._prefilter.may_hold(subject)
        places.update(self._places[audience] for audience in noted if audience in self._places)
        return [self.audiences[place] for place in sorted(places)]


@dataclass(slots=True)
class AudienceCatalogue:
    """Finds audiences by id, by customer, and by what they depend on."""

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
        """Returns the audiences whose answer a change of these dependencies can change, at any depth.

        Events change the same few things again and again, so selections are kept.
        """
        known = self._affected.get((customer, changed))
        if known is None:
            if len(self._affected) >= SELECTIONS_KEPT:
                self._affected.clear()
            known = self._affected[customer, changed] = Selection(self._find_affected(customer, changed))
        return known

    def asking(self, audience: CompiledAudience) -> Sequence[CompiledAudience]:
        """Returns the audiences that ask about this one, at any depth, in order of rank."""
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


def load() -> AudienceCatalogue:
    """Read and compile every audience that has a rule, or that something else decides."""
    known = schemas()
    rules = _rules(known)
    decided = {one.row.id: one for kind in kinds.registered() for one in kind.in_force()}
    asked_by = {key: asked_audiences(rule) for key, (_, rule) in rules.items()}
    asked_by |= {key: one.audiences for key, one in decided.items()}
    ranks = depths(asked_by)
    loaded = AudienceCatalogue()
    for key in sorted(asked_by, key=lambda key: ranks[key]):
        if key in decided:
            compiled = _without_rule(decided[key], ranks[key])
        else:
            compiled = _compiled(*rules[key], asked_by[key], ranks[key])
        loaded.by_id[key] = compiled
        loaded.by_customer[compiled.customer].append(compiled)
        for name in with_each_pixel(compiled.dependencies, known(compiled.customer).pixels):
            loaded.by_dependency[compiled.customer, name].append(compiled)
    return loaded


def _compiled(row: Audience, rule: Group, asked: frozenset[int], rank: int) -> CompiledAudience:
    names = dependencies(rule)
    return CompiledAudience(
        id=row.id,
        customer=row.customer_id,
        version=row.version,
        rule=rule,
        predicate=compile_rule(rule),
        dependencies=names,
        audiences=asked,
        asks_platforms=any(name.startswith("platform.") for name in names),
        rank=rank,
    )


def _without_rule(decided: DecidedAudience, rank: int) -> CompiledAudience:
    return CompiledAudience(
        id=decided.row.id,
        customer=decided.row.customer_id,
        version=decided.row.version,
        rule=None,
        predicate=decided.predicate,
        dependencies=decided.dependencies,
        audiences=decided.audiences,
        asks_platforms=False,
        rank=rank,
    )


def _rules(known: Callable[[int], CustomerSchema]) -> dict[int, tuple[Audience, Group]]:
    """Returns the rules in force. An audience whose rule cannot work any more keeps its members as they are."""
    rules = {}
    for row in Audience.objects.filter(kind=Audience.Kind.CUSTOM).exclude(status__in=FROZEN):
        try:
            rules[row.id] = (row, expiring(parse(row.rule, known(row.customer_id)), row.ttl_ms))
        except RuleError as broken:
            log.warning("audience %s cannot be evaluated: %s", row.id, broken)
    return rules
