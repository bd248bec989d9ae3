"""Explains why a user is in an audience or not: each part of the rule, what was found, whether it holds, until when."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Cursor

from audiences import kinds, lists
from audiences import store as memberships
from audiences.models import Audience, Membership
from audiences.references import asked_audiences
from audiences.rules.evaluate import compile_rule, read_value
from audiences.rules.nodes import (
    Active,
    ActivityWindow,
    Belonging,
    BelongingKind,
    CalendarTest,
    Condition,
    CountTest,
    Group,
    Listed,
    MomentField,
    Node,
    SplitTest,
    ValueField,
    ValueTest,
    ValueWindow,
)
from audiences.rules.parse import expiring, parse
from audiences.rules.render import Names, render
from audiences.rules.splits import percent, place
from audiences.rules.subject import Subject
from audiences.schema import schema_of
from core import clock
from core.clock import milliseconds, moment
from core.days import calendar_of
from profiles.state import NOTHING, ProfileState
from profiles.store import load_profiles
from usersync import store as mappings

WRITTEN = ("field", "operator", "value", "days", "ttl")


@dataclass(frozen=True, slots=True)
class Explanation:
    """`until`: when time alone may change the answer. `tree` is the rule's, each part with `true`, `found` and
    `until`; `expiry` the same of the audience's `ttl`, where it has one.
    """

    user_id: UUID
    member: bool
    since: datetime | None
    until: datetime | None
    eligible: bool
    tree: dict[str, Any]
    expiry: dict[str, Any] | None


def explain(cursor: Cursor[Any], audience: Audience, user: UUID, names: Names | None = None) -> Explanation | None:
    """Explain the membership of the user, or of the survivor of a merge. Returns None for an unknown user.

    `cursor` is psycopg's own, on a connection that takes arrays. `names` as `render` takes them.
    """
    profile = _profile(cursor, audience.customer_id, user)
    if profile is None:
        return None
    now_ms = milliseconds(clock.now())
    kind = kinds.kind_of(audience)
    if kind is not None:
        _fill_in(cursor, profile, kind.asked_audiences(audience))
        return _explanation(audience, profile, kind.explain(audience, profile, now_ms), None, None)
    rule = parse(audience.rule, schema_of(audience.customer_id))
    _fill_in(cursor, profile, asked_audiences(rule))
    explainer = _RuleExplainer(profile, now_ms, names or {})
    _, until = compile_rule(expiring(rule, audience.ttl_ms))(profile, now_ms)
    expiry = None if audience.ttl_ms is None else explainer.condition({"ttl": audience.ttl}, Active(audience.ttl_ms))
    return _explanation(audience, profile, explainer.tree(audience.rule or {}, rule), until, expiry)


def _explanation(
    audience: Audience, profile: ProfileState, tree: dict[str, Any], until: int | None, expiry: dict[str, Any] | None
) -> Explanation:
    stored = Membership.objects.filter(bucket=profile.bucket, audience_id=audience.pk, user_id=profile.user_id).first()
    return Explanation(
        profile.user_id,
        member=stored is not None and stored.member,
        since=stored.since if stored is not None and stored.member else None,
        until=None if until is None else moment(until),
        eligible=profile.eligible,
        tree=tree,
        expiry=expiry,
    )


def _profile(cursor: Cursor[Any], customer: int, user: UUID) -> ProfileState | None:
    seen = set[UUID]()
    while user not in seen:
        seen.add(user)
        found = load_profiles(cursor, {(customer, user)}).get((customer, user))
        if found is None or found.merged_into is None:
            return found
        user = found.merged_into
    return None


def _fill_in(cursor: Cursor[Any], profile: ProfileState, asked: Collection[int]) -> None:
    """Fill in what rules and models read beside the profile itself: audiences, platforms and lists."""
    held = memberships.load(cursor, [profile.user_id], asked).get(profile.user_id, {})
    profile.audiences = {audience for audience, state in held.items() if state.member}
    key = (profile.customer, profile.user_id)
    profile.platforms = {mapping.platform for mapping in mappings.of_users(cursor, {key})[key]}
    profile.lists = lists.of_users(cursor, [profile.user_id]).get(profile.user_id, NOTHING)


@dataclass(frozen=True, slots=True)
class _RuleExplainer:
    subject: Subject
    now: int
    names: Names

    def tree(self, written: dict[str, Any], group: Group) -> dict[str, Any]:
        pairs = zip(written["rules"], group.children, strict=True)
        parts = [self.tree(one, node) if isinstance(node, Group) else self.condition(one, node) for one, node in pairs]
        return {"combinator": str(group.combinator), "not": group.negated, **self._answer(group), "rules": parts}

    def condition(self, written: dict[str, Any], node: Condition) -> dict[str, Any]:
        kept: dict[str, Any] = {key: written[key] for key in WRITTEN if key in written}
        return {**kept, "text": render(node, self.names), **self._answer(node), "found": self._found(node)}

    def _answer(self, node: Node) -> dict[str, Any]:
        truth, until = compile_rule(node)(self.subject, self.now)
        return {"true": truth, "until": None if until is None else moment(until)}

    def _found(self, node: Condition) -> Any:
        match node:
            case ValueTest() | ValueWindow() | CalendarTest():
                return self._held(node.field)
            case CountTest():
                return self._count(node)
            case ActivityWindow():
                return self._held(MomentField(node.pixel, node.moment))
            case Active():
                last = [seen["last"] for seen in self.subject.activity.values()]
                return moment(max(last)) if last else None
            case SplitTest() | Listed():
                return self._of_user(node)
            case Belonging():
                held = self.subject.audiences if node.kind is BelongingKind.AUDIENCE else self.subject.platforms
                return [number for number in node.ids if number in held]

    def _held(self, field: ValueField | MomentField) -> Any:
        if isinstance(field, ValueField):
            return read_value(field)(self.subject)
        seen = self.subject.activity.get(str(field.pixel))
        return None if seen is None else moment(seen[str(field.moment)])

    def _of_user(self, node: SplitTest | Listed) -> Any:
        if isinstance(node, Listed):
            return node.audience in self.subject.lists
        return percent(place(node.name, self.subject.user_id))

    def _count(self, node: CountTest) -> int:
        seen = self.subject.activity.get(str(node.pixel))
        if seen is None:
            return 0
        if node.days is None:
            return int(seen["total"])
        today = calendar_of(node.zone).day_of(self.now)
        return sum(count for day, count in seen["days"].items() if today - node.days < int(day) <= today)
