"""All audiences of the hub, compiled: by customer, each rule again only when something it is made of has changed.

Nothing here changes once it is compiled, but for what is kept to be found sooner. An audience that cannot be compiled
keeps its members as they are; `problems` says why.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import is_
from typing import Any, NamedTuple

from django.db.models import Func, TextField
from django.db.models.functions import Cast

from audiences import kinds
from audiences.kinds import DecidedAudience
from audiences.models import Audience
from audiences.references import depths
from audiences.rules.dependencies import audiences_among, dependencies, with_each_pixel
from audiences.rules.evaluate import Predicate, compile_rule
from audiences.rules.nodes import Group
from audiences.rules.parse import expiring, parse
from audiences.rules.prefilter import Prefilter
from audiences.rules.subject import Subject
from audiences.rules.values import parse_duration
from audiences.schema import Consulted, CustomerSchema, SchemaReader
from core.per_customer import PerCustomer
from core.problems import words_of

SELECTIONS_KEPT = 2_000  # of a customer
SELECTIONS_RENEWED = 200  # those asked for last, of a version that is replaced
FROZEN = (Audience.Status.PAUSED, Audience.Status.DELETING)


@dataclass(frozen=True, slots=True)
class CompiledAudience:
    """One audience in force. `rank` orders audiences so that one comes after those it asks about.

    Without a `rule` that SQL could read, the predicate alone decides, user by user. `source` is what it was made of,
    `consulted` what the rule had to ask of the customer's schema.
    """

    id: int
    customer: int
    version: int
    rule: Group | None
    predicate: Predicate
    dependencies: frozenset[str]
    audiences: frozenset[int]
    asks_platforms: bool
    source: Hashable
    consulted: Consulted = ()
    rank: int = 0


class Selection:
    """Audiences in order of rank, to be evaluated together for many profiles."""

    def __init__(self, audiences: Iterable[CompiledAudience]) -> None:
        self.audiences = tuple(audiences)
        self.ids = frozenset(number for audience in self.audiences for number in (audience.id, *audience.audiences))
        self.asks_platforms = any(audience.asks_platforms for audience in self.audiences)
        self._places = {audience.id: place for place, audience in enumerate(self.audiences)}
        self._prefilter = Prefilter(audience.rule for audience in self.audiences)

    def holds(self, audiences: Sequence[CompiledAudience]) -> bool:
        """Returns whether these very audiences are selected, in this order."""
        return len(audiences) == len(self.audiences) and all(map(is_, audiences, self.audiences))

    def in_question(self, subject: Subject, noted: Iterable[int]) -> Iterable[CompiledAudience]:
        """Returns the audiences that may hold the subject, now or when time has passed, and those of `noted`: they hold
        it, or wait for a moment to look again. All others would say no, and have said so before.
        """
        places = self._prefilter.may_hold(subject)
        places.update(self._places[audience] for audience in noted if audience in self._places)
        return [self.audiences[place] for place in sorted(places)]


@dataclass(slots=True)
class CustomerAudiences:
    """One customer's audiences in order of rank. `problems`: why others cannot be compiled, by id."""

    by_id: dict[int, CompiledAudience] = field(default_factory=dict)
    by_dependency: dict[str, list[CompiledAudience]] = field(default_factory=lambda: defaultdict(list))
    problems: dict[int, str] = field(default_factory=dict)
    _selections: dict[frozenset[str] | None, Selection] = field(default_factory=dict)

    def all(self) -> Selection:
        return self._selections.get(None) or self._keep(None, Selection(self.by_id.values()))

    def affected(self, changed: frozenset[str]) -> Selection:
        """Returns the audiences whose answer a change of these dependencies can change, at any depth.

        Events change the same few things again and again, so selections are kept.
        """
        return self._selections.get(changed) or self._keep(changed, Selection(self._find_affected(changed)))

    def asking(self, audience: CompiledAudience) -> Sequence[CompiledAudience]:
        """Returns the audiences that ask about this one, at any depth, in order of rank."""
        return self.affected(frozenset({f"audience.{audience.id}"})).audiences

    def select_as(self, earlier: "CustomerAudiences") -> None:
        """Select now what was selected of an earlier version, so that the next event finds it under its locks.

        What holds the very same audiences is used again.
        """
        for changed, known in list(earlier._selections.items())[-SELECTIONS_RENEWED:]:
            audiences = list(self.by_id.values()) if changed is None else self._find_affected(changed)
            self._keep(changed, known if known.holds(audiences) else Selection(audiences))

    def _keep(self, changed: frozenset[str] | None, selection: Selection) -> Selection:
        if len(self._selections) >= SELECTIONS_KEPT:
            self._selections.clear()
        self._selections[changed] = selection
        return selection

    def _find_affected(self, changed: Iterable[str]) -> list[CompiledAudience]:
        found: dict[int, CompiledAudience] = {}
        pending = list(changed)
        while pending:
            for audience in self.by_dependency.get(pending.pop(), ()):
                if audience.id not in found:
                    found[audience.id] = audience
                    pending.append(f"audience.{audience.id}")
        return sorted(found.values(), key=lambda audience: audience.rank)


NOTHING = CustomerAudiences()  # of a customer who has none, and before the first compilation


@dataclass(frozen=True, slots=True)
class AudienceCatalogue:
    """Finds audiences by id, by customer, and by what they depend on."""

    customers: PerCustomer[CustomerAudiences]

    def get(self, audience: int) -> CompiledAudience | None:
        return self.customers.holding(audience).by_id.get(audience)

    def all_of(self, customer: int) -> Selection:
        return self.customers.of(customer).all()

    def affected(self, customer: int, changed: frozenset[str]) -> Selection:
        return self.customers.of(customer).affected(changed)

    def asking(self, audience: CompiledAudience) -> Sequence[CompiledAudience]:
        return self.customers.of(audience.customer).asking(audience)


class _WrittenRule(NamedTuple):
    """A custom audience in force. `mark` stands for its rule, which is read only where it has to be compiled."""

    id: int
    customer: int
    version: int
    ttl: str
    mark: str | None

    @property
    def source(self) -> Hashable:
        return self.version, self.ttl, self.mark


def load(
    customers: Collection[int], schema: Callable[[int], CustomerSchema], earlier: Mapping[int, CustomerAudiences]
) -> dict[int, CustomerAudiences]:
    """Read the audiences of these customers, and compile those that are not the same in the `earlier` version."""
    compilers = {one: _CustomerCompiler(one, schema(one), earlier.get(one, NOTHING)) for one in customers}
    changed = [row for row in _written(customers) if not compilers[row.customer].take_over(row.id, row.source)]
    rules = dict(Audience.objects.filter(id__in=[row.id for row in changed]).values_list("id", "rule"))
    for row in changed:
        compilers[row.customer].compile(row, rules.get(row.id))
    for kind in kinds.registered():
        for audience in kind.in_force(customers):
            compiler, source = compilers[audience.customer_id], (audience.version, kind.source(audience))
            if not compiler.take_over(audience.id, source):
                compiler.decide(audience, source, kind.decided)
    return {customer: compiler.finish() for customer, compiler in compilers.items()}


def _written(customers: Collection[int]) -> Iterable[_WrittenRule]:
    rows = Audience.objects.filter(customer_id__in=customers, kind=Audience.Kind.CUSTOM).exclude(status__in=FROZEN)
    mark = Func(Cast("rule", TextField()), function="MD5")
    names = ("id", "customer_id", "version", "ttl", "mark")
    return [_WrittenRule(*row) for row in rows.order_by("id").annotate(mark=mark).values_list(*names)]


class _CustomerCompiler:
    """Gathers one customer's audiences. What cannot be compiled is left out: its members stay as they are."""

    def __init__(self, customer: int, schema: CustomerSchema, earlier: CustomerAudiences) -> None:
        self._customer, self._schema, self._earlier = customer, schema, earlier
        self._found: dict[int, CompiledAudience] = {}
        self._problems: dict[int, str] = {}

    def take_over(self, audience: int, source: Hashable) -> bool:
        """Use the audience as it was compiled earlier, if it would be the same. Returns whether it is."""
        known = self._earlier.by_id.get(audience)
        if known is None or known.source != source or not self._schema.agrees(known.consulted):
            return False
        self._found[audience] = known
        return True

    def compile(self, row: _WrittenRule, written: Any) -> None:
        try:
            self._found[row.id] = self._compiled(row, written)
        except Exception as broken:  # whatever a row holds: it must not keep the others out
            self._problems[row.id] = words_of(broken)

    def decide(self, row: Audience, source: Hashable, decide: Callable[[Audience], DecidedAudience]) -> None:
        try:
            decided = decide(row)
        except Exception as broken:
            self._problems[row.id] = words_of(broken)
            return
        self._found[row.id] = CompiledAudience(
            id=row.id,
            customer=self._customer,
            version=row.version,
            rule=None,
            predicate=decided.predicate,
            dependencies=decided.dependencies,
            audiences=decided.audiences,
            asks_platforms=False,
            source=source,
        )

    def _compiled(self, row: _WrittenRule, written: Any) -> CompiledAudience:
        reader = SchemaReader(self._schema)
        rule = expiring(parse(written, reader), parse_duration(row.ttl) if row.ttl else None)
        names = dependencies(rule)
        Prefilter((rule,))  # whatever it cannot take is found here, and not among the other rules
        return CompiledAudience(
            id=row.id,
            customer=self._customer,
            version=row.version,
            rule=rule,
            predicate=compile_rule(rule),
            dependencies=names,
            audiences=audiences_among(names),
            asks_platforms=any(name.startswith("platform.") for name in names),
            source=row.source,
            consulted=reader.consulted,
        )

    def finish(self) -> CustomerAudiences:
        """Returns all of them in order of rank."""
        finished = CustomerAudiences(problems=self._problems)
        ranks = depths({key: one.audiences for key, one in self._found.items()})
        for key in self._found.keys() - ranks.keys():
            finished.problems[key] = "it asks about itself through other audiences, or about one that does"
        for key in sorted(self._found.keys() & ranks.keys(), key=lambda key: (ranks[key], key)):
            known = self._found[key]
            compiled = known if known.rank == ranks[key] else replace(known, rank=ranks[key])
            finished.by_id[key] = compiled
            for name in with_each_pixel(compiled.dependencies, self._schema.pixels):
                finished.by_dependency[name].append(compiled)
        finished.select_as(self._earlier)
        return finished
