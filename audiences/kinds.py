"""Kinds of audiences that are decided by something else than a rule.

A room above this one (lookalikes) registers its kind when Django starts. This module must not import that room: what
an audience needs of such a kind is the protocol below.
"""

from collections.abc import Collection, Hashable
from dataclasses import dataclass
from typing import Any, Protocol

from audiences.models import Audience
from audiences.rules.evaluate import Predicate
from audiences.rules.nodes import Group
from audiences.rules.subject import Subject
from profiles.models import Attribute


@dataclass(frozen=True, slots=True)
class DecidedAudience:
    """An audience in force without a rule, and the predicate that decides it. `audiences`: those it asks about.

    `rule`: the same as a tree, where there is one that SQL can read; it builds audiences in whole pages.
    """

    row: Audience
    predicate: Predicate
    dependencies: frozenset[str]
    audiences: frozenset[int]
    rule: Group | None = None


class AudienceKind(Protocol):
    """What audiences ask of a kind that has no rule."""

    def in_force(self, customers: Collection[int], /) -> Collection[Audience]:
        """Returns all audiences of the kind, of these customers, that decide about users now."""

    def source(self, audience: Audience, /) -> Hashable:
        """Returns what `decided` is made of: as long as it is the same, so is the result."""

    def decided(self, audience: Audience, /) -> DecidedAudience:
        """Returns the audience, which is in force, with its predicate. Raises where it cannot be read."""

    def asked_audiences(self, audience: Audience, /) -> frozenset[int]:
        """Returns the audiences whose members the audience looks at."""

    def explain(self, audience: Audience, subject: Subject, now_ms: int, /) -> dict[str, Any]:
        """Returns, as JSON, why the subject is in the audience or not; `true` says which."""

    def attribute_changed(self, attribute: Attribute, /) -> None:
        """Called in the transaction that enabled, disabled or marked the attribute, with what it is now."""


_registered: dict[str, AudienceKind] = {}


def register(kind: str, implementation: AudienceKind) -> None:
    """Register what decides audiences of this kind (`Audience.kind`)."""
    _registered[kind] = implementation


def kind_of(audience: Audience) -> AudienceKind | None:
    """Returns what decides an audience; None: its rule does."""
    return _registered.get(audience.kind)


def registered() -> Collection[AudienceKind]:
    return _registered.values()
