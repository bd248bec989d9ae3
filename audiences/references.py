"""Which audiences refer to what: to attributes, pixels, platforms and to each other.

Nothing can be taken away that a rule names, no audience may ask about itself, and no lookalike is built on another.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from audiences import kinds
from audiences.models import Audience
from audiences.rules.dependencies import (
    AudienceDependencies,
    audiences_among,
    audiences_beneath,
    dependencies,
    is_built_on_lookalike,
)
from audiences.rules.errors import Location, RuleError, RuleFault
from audiences.rules.nodes import Group
from audiences.rules.parse import audiences_named, parse
from audiences.schema import SchemaOfSavedRules, schema_of
from core.models import Customer
from profiles.models import Attribute
from profiles.paths import top_level


def audiences_naming(customer: int, *, pixel: int | None = None, platform: int | None = None) -> list[Audience]:
    """Returns the customer's audiences whose rules name the pixel or the platform."""
    named = {f"pixel.{pixel}", f"platform.{platform}"}
    return [audience for audience, names in _rules_of(customer) if named & names]


def audiences_using(attribute: Attribute) -> list[Audience]:
    """Returns the audiences whose rules ask about the attribute or about another one under its top-level key."""
    key = f"attribute.{top_level(attribute.path)}"
    return [audience for audience, names in _rules_of(attribute.customer_id) if key in names]


def _rules_of(customer: int) -> Iterator[tuple[Audience, frozenset[str]]]:
    """Yields the customer's audiences that have a rule, with what the rule depends on."""
    schema = SchemaOfSavedRules(schema_of(customer))
    for audience in Audience.objects.filter(customer_id=customer).exclude(rule=None):
        try:
            yield audience, dependencies(parse(audience.rule, schema))
        except RuleError:
            continue  # it cannot be evaluated either: its members stay as they are


def audiences_asking(audience: Audience) -> list[Audience]:
    """Returns the audiences whose rules ask about this one. A lookalike's model goes on without it."""
    asking = [key for key, asked in _asked_by_all(audience.customer_id).items() if audience.id in asked]
    return list(Audience.objects.filter(id__in=asking, kind=Audience.Kind.CUSTOM))


def asked_audiences(rule: Group) -> frozenset[int]:
    """Returns the audiences that a rule asks about."""
    return audiences_among(dependencies(rule))


def lock_references(customer: int) -> None:
    """Lock the customer's row until the transaction ends, so that two changes made at once close no circle."""
    Customer.objects.select_for_update(no_key=True).get(pk=customer)


def refuse_cycle(audience: Audience, rule: Any) -> None:
    """Raises `RuleError` with every place at which the audience would ask about itself, directly or through others.

    `rule` is the JSON of a rule that `parse` accepts.
    """
    faults: list[RuleFault] = []
    known = _asked_by_all(audience.customer_id)
    for asked, at in audiences_named(rule, Location("", faults)):
        if asked == audience.id:
            at.refuse("the audience asks about itself")
        elif _leads_to(audience.id, asked, known):
            at.refuse(f"the audience asks about itself through audience {asked}")
    if faults:
        raise RuleError(faults)


def _leads_to(audience: int, asked: int, asked_by: Mapping[int, Iterable[int]]) -> bool:
    """Returns whether an audience that is asked about asks, at any depth, about this one."""
    pending, reached = [asked], set[int]()
    while pending:
        one = pending.pop()
        if one == audience:
            return True
        if one not in reached:
            reached.add(one)
            pending.extend(asked_by.get(one, ()))
    return False


def _asked_by_all(customer: int) -> dict[int, frozenset[int]]:
    """Returns the audiences that each of the customer's audiences looks at: by its rule, or by its model.

    A rule that cannot work any more counts as nothing: it must not keep other audiences from being changed.
    """
    schema = SchemaOfSavedRules(schema_of(customer))
    found: dict[int, frozenset[int]] = {}
    for row in Audience.objects.filter(customer_id=customer):
        try:
            kind = kinds.kind_of(row)
            found[row.id] = asked_audiences(parse(row.rule, schema)) if kind is None else kind.asked_audiences(row)
        except RuleError:
            found[row.id] = frozenset()
    return found


def depths(asked_by: Mapping[int, Iterable[int]]) -> dict[int, int]:
    """Returns how deep each audience is built on others. Those that ask about themselves have no depth.

    Cycles are refused when rules are saved; one that is stored all the same must not hide the others.
    """
    waiting = {key: {one for one in asked if one in asked_by} for key, asked in asked_by.items()}
    askers = defaultdict[int, list[int]](list)
    for key, asked in waiting.items():
        for one in asked:
            askers[one].append(key)
    found = {key: 1 if tuple(asked_by[key]) else 0 for key, asked in waiting.items() if not asked}
    ready = list(found)
    while ready:
        done = ready.pop()
        for key in askers[done]:
            waiting[key].discard(done)
            if not waiting[key]:
                found[key] = 1 + max(found.get(one, 0) for one in asked_by[key])
                ready.append(key)
    return found


def dependencies_of_audiences(customer: int) -> dict[int, AudienceDependencies]:
    """Returns what each of the customer's audiences is built on. A rule that cannot work any more counts as nothing."""
    schema = schema_of(customer)
    found = {}
    for row in Audience.objects.filter(customer_id=customer):
        if row.seed_id is not None:
            found[row.id] = AudienceDependencies(audiences=frozenset({row.seed_id}), is_lookalike=True)
        elif row.kind == Audience.Kind.STATIC:
            found[row.id] = AudienceDependencies()
        else:
            try:
                found[row.id] = AudienceDependencies.of_rule(parse(row.rule, schema))
            except RuleError:
                found[row.id] = AudienceDependencies()
    return found


def refuse_lookalike_as_seed(seed: Audience) -> None:
    """Raises `ValueError` where the audience is a lookalike, or has one beneath it."""
    if is_built_on_lookalike(seed.id, dependencies_of_audiences(seed.customer_id)):
        raise ValueError("is a lookalike, or has one beneath it: there is no lookalike of a lookalike")


def refuse_lookalike_beneath_seed(audience: Audience, rule: Any) -> None:
    """Raises `RuleError` with every place that would put a lookalike beneath the seed of another, or beneath itself
    through an audience from which it learnt. `rule` is the JSON of a rule that `parse` accepts.
    """
    faults: list[RuleFault] = []
    named = list(audiences_named(rule, Location("", faults)))
    known = dependencies_of_audiences(audience.customer_id)
    known[audience.id] = AudienceDependencies(audiences=frozenset(asked for asked, _ in named))
    for row in Audience.objects.filter(customer_id=audience.customer_id, seed__isnull=False):
        if row.seed_id is not None and audience.id in audiences_beneath(row.seed_id, known):
            for asked, at in named:
                if is_built_on_lookalike(asked, known):
                    at.refuse(f"lookalike “{row.name}” has its seed here: there is no lookalike of a lookalike")
    if faults:
        raise RuleError(faults)
