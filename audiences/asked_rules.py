"""A rule about which somebody asks before it is saved: whom it describes, in words, and who is in it unawares.

A missing value fulfils negative conditions. Where a rule has some, an estimate says how many people it describes for
that reason alone, and offers the rule for those whose value is known.
"""

from dataclasses import dataclass
from typing import Any

from audiences.estimates import Estimate, RuleEstimate, estimate_rule
from audiences.models import Audience
from audiences.rules.errors import RuleError
from audiences.rules.known import only_where_known
from audiences.rules.nodes import Group
from audiences.rules.parse import parse
from audiences.rules.render import render
from audiences.schema import names_of, schema_of


@dataclass(frozen=True, slots=True)
class AskedRule:
    """`known`: the rule for those alone whose values are known, where that is another rule.

    `offer`: the same as it is written; None also where it would be beyond the limits of a rule.
    """

    customer: int
    tree: Group
    known: Group | None
    offer: dict[str, Any] | None

    def estimate(self, audience: Audience | None = None) -> RuleEstimate:
        """Raises TooManyQuestionsError, QuestionTooLongError."""
        return estimate_rule(self.customer, self.tree, audience, where_known=self.known)

    def text(self, found: RuleEstimate) -> str:
        """Returns the rule in words, with how many people it describes whose value is unknown."""
        words = render(self.tree, names_of(self.customer))
        return words if not found.unknown.estimate else f"{words}, {unknown_text(found)}"


def asked_rule(customer: int, written: Any) -> AskedRule:
    """Read a rule. Raises RuleError."""
    schema = schema_of(customer)
    tree = parse(written, schema)
    offer = only_where_known(written)
    if offer == written:
        return AskedRule(customer, tree, None, None)
    known = parse(offer, schema, limited=False)
    try:
        parse(offer, schema)
    except RuleError:
        return AskedRule(customer, tree, known, None)
    return AskedRule(customer, tree, known, offer)


def unknown_text(found: RuleEstimate) -> str:
    return f"includes {people_text(found.unknown, exact=found.exact)} without a value"


def people_text(count: Estimate, *, exact: bool) -> str:
    """Returns a number of people in words; with its margin where it is an estimate."""
    if exact:
        return f"{count.estimate:,}"
    return f"about {count.estimate:,} ({count.low:,} to {count.high:,})"
