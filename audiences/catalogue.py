"""All audiences of the hub, compiled: by customer, each rule again only when something it is made of has changed.

Nothing here changes once it is compiled, but for what is kept to be found sooner. An audience that cannot be compiled
keeps its members as they are; `problems` says why.
"""

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

from django.db.models import Func, TextField
from django.db.models.functions import Cast

from audiences import kinds
from audiences.compiled import CompiledAudience, Selection, Selections
from audiences.kinds import DecidedAudience
from audiences.models import Audience
from audiences.references import depths
from audiences.rules.dependencies import audiences_among, dependencies
from audiences.rules.evaluate import compile_rule
from audiences.rules.parse import expiring, parse
from audiences.rules.prefilter import Prefilter
from audiences.rules.values import parse_duration
from audiences.schema import CustomerSchema, SchemaReader
from core.per_customer import PerCustomer
from core.problems import words_of

FROZEN = (Audience.Status.PAUSED, Audience.Status.DELETING)


@dataclass(frozen=True, slots=True)
class CustomerAudiences:
    """One customer's audiences in order of rank. `problems`: why others cannot be compiled, by id."""

    by_id: Mapping[int, CompiledAudience]
    selections: Selections
    problems: Mapping[int, str]

    @classmethod
    def nothing(cls) -> "CustomerAudiences":
        """Returns what a customer has who has none."""
        return cls({}, Selections({}, ()), {})


NOTHING = CustomerAudiences.nothing()


@dataclass(frozen=True, slots=True)
class AudienceCatalogue:
    """Finds audiences by id, by customer, and by what they depend on."""

    customers: PerCustomer[CustomerAudiences]

    def get(self, audience: int) -> CompiledAudience | None:
        return self.customers.holding(audience).by_id.get(audience)

    def all_of(self, customer: int) -> Selection:
        return self.customers.of(customer).selections.all()

    def affected(self, customer: int, changed: frozenset[str]) -> Selection:
        return self.customers.of(customer).selections.affected(changed)

    def asking(self, audience: CompiledAudience) -> Sequence[CompiledAudience]:
        """Returns the audiences that ask about this one, at any depth, in order of rank."""
        return self.affected(audience.customer, frozenset({f"audience.{audience.id}"})).audiences


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
        compiler = compilers[row.customer]
        compiler.add(row.id, partial(compiler.written, row, rules.get(row.id)))
    for kind in kinds.registered():
        for audience in kind.in_force(customers):
            compiler, source = compilers[audience.customer_id], (audience.version, kind.source(audience))
            if not compiler.take_over(audience.id, source):
                compiler.add(audience.id, partial(compiler.decided, audience, source, kind.decided))
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

    def add(self, audience: int, compiled: Callable[[], CompiledAudience]) -> None:
        """Compile an audience, or note why it cannot be compiled."""
        try:
            self._found[audience] = compiled()
        except Exception as broken:  # whatever a row holds: it must not keep the others out
            self._problems[audience] = words_of(broken)

    def decided(
        self, row: Audience, source: Hashable, decide: Callable[[Audience], DecidedAudience]
    ) -> CompiledAudience:
        """Returns an audience of a kind whose members its kind decides."""
        decided = decide(row)
        return CompiledAudience(
            id=row.id,
            customer=self._customer,
            version=row.version,
            rule=decided.rule,
            predicate=decided.predicate,
            dependencies=decided.dependencies,
            audiences=decided.audiences,
            asks_platforms=False,
            source=source,
            asks_lists=any(name.startswith("list.") for name in decided.dependencies),
        )

    def written(self, row: _WrittenRule, written: Any) -> CompiledAudience:
        """Returns an audience whose members its rule describes."""
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
        ranks = depths({key: one.audiences for key, one in self._found.items()})
        for key in self._found.keys() - ranks.keys():
            self._problems[key] = "it asks about itself through other audiences, or about one that does"
        ordered = {}
        for key in sorted(ranks, key=lambda key: (ranks[key], key)):
            known = self._found[key]
            ordered[key] = known if known.rank == ranks[key] else replace(known, rank=ranks[key])
        selections = Selections(ordered, self._schema.pixels)
        selections.follow(self._earlier.selections)
        return CustomerAudiences(ordered, selections, self._problems)
