"""What each audience of a customer stands on: for what lookalikes may learn from, and what may not stand on what."""

from django.db.models import Q

from audiences.models import Audience
from audiences.rules.dependencies import dependencies
from audiences.rules.errors import Fault, RuleError
from audiences.rules.nodes import Group
from audiences.rules.parse import parse
from audiences.schema import schema_of
from lookalikes.scoring.exclusion import Standing, stands_on_lookalike
from lookalikes.stored import model_of
from profiles.models import Attribute
from profiles.paths import split_path


def standings(customer: int) -> dict[int, Standing]:
    """Of all the customer's audiences. Rules that have lost what they stand on count as standing on nothing."""
    schema = schema_of(customer)
    found = {}
    for row in Audience.objects.filter(customer_id=customer):
        if row.seed_id is not None:
            found[row.id] = Standing(frozenset(), frozenset({row.seed_id}), lookalike=True)
        else:
            try:
                found[row.id] = standing_of(parse(row.rule, schema))
            except RuleError:
                found[row.id] = Standing(frozenset(), frozenset())
    return found


def standing_of(rule: Group) -> Standing:
    named = dependencies(rule)
    asked = frozenset(int(name.partition(".")[2]) for name in named if name.startswith("audience."))
    return Standing(named, asked)


def check_seed(seed: Audience) -> None:
    """Raises `ValueError` where a lookalike stands on the seed, or is it."""
    if stands_on_lookalike(seed.id, standings(seed.customer_id)):
        raise ValueError("is a lookalike, or has one beneath it: there is no lookalike of a lookalike")


def check_rule(audience: Audience, rule: Group) -> None:
    """Raises `RuleError` where the rule would put a lookalike beneath the seed of another, or beneath itself by way
    of an audience from which it learnt."""
    known = standings(audience.customer_id) | {audience.id: standing_of(rule)}
    for row in Audience.objects.filter(customer_id=audience.customer_id, seed__isnull=False):
        if row.seed_id is not None and stands_on_lookalike(row.seed_id, known):
            message = f"lookalike “{row.name}” has its seed here: there is no lookalike of a lookalike"
            raise RuleError([Fault("", message)])


def learnt_from(audience: Audience) -> frozenset[int]:
    """The audiences from whose members a lookalike's model in force tells."""
    model = model_of(audience.id, audience.model_number) if audience.model_number else None
    names = model.dependencies if model else frozenset()
    return frozenset(int(name.partition(".")[2]) for name in names if name.startswith("audience."))


def hidden_attributes(customer: int) -> dict[str, str]:
    """Dependencies by which nobody is to be judged, with the reason."""
    rows = Attribute.objects.filter(Q(sensitive=True) | Q(personal=True), customer_id=customer)
    return {
        f"attribute.{split_path(row.path)[0]}": "is sensitive" if row.sensitive else "holds personal data"
        for row in rows
    }
