"""Static audiences as the others see them: a kind of audience that is decided by a list instead of a rule.

The list is a table (`audiences.lists`). What asks it is a tree of one condition, so events, builds and explanations
treat a static audience as they treat any other.
"""

from collections.abc import Collection, Hashable
from typing import Any

from audiences.kinds import DecidedAudience
from audiences.models import Audience
from audiences.rules.dependencies import dependencies
from audiences.rules.evaluate import compile_rule
from audiences.rules.nodes import Combinator, Group, Listed
from audiences.rules.subject import Subject
from profiles.models import Attribute

IN_FORCE = ("id", "customer_id", "version", "status")


class StaticKind:
    """What `audiences.kinds.AudienceKind` asks for."""

    def in_force(self, customers: Collection[int]) -> Collection[Audience]:
        rows = Audience.objects.filter(kind=Audience.Kind.STATIC, customer_id__in=customers)
        return rows.filter(status__in=[Audience.Status.BUILDING, Audience.Status.LIVE]).only(*IN_FORCE)

    def source(self, audience: Audience) -> Hashable:
        return None

    def decided(self, audience: Audience) -> DecidedAudience:
        rule = Group(Combinator.AND, False, (Listed(audience.id),))
        return DecidedAudience(audience, compile_rule(rule), dependencies(rule), frozenset(), rule)

    def asked_audiences(self, audience: Audience) -> frozenset[int]:
        return frozenset()

    def explain(self, audience: Audience, subject: Subject, now_ms: int) -> dict[str, Any]:
        """Returns `true`: whether the subject is on the list."""
        is_on = audience.pk in subject.lists
        return {"text": "on the audience's own list", "true": is_on, "found": is_on, "until": None}

    def attribute_changed(self, attribute: Attribute) -> None:
        """Nothing: a list asks about no attribute."""
