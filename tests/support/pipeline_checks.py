"""What must be so once all is quiet: people, audiences and platforms as the model says, and nothing of who is gone."""

from typing import Any
from uuid import UUID

from audiences import services as audiences
from audiences.building import ELIGIBLE, TABLES
from audiences.models import Audience, AudienceBucket, Membership
from audiences.rules.parse import parse
from audiences.rules.sql import to_sql
from audiences.schema import schema_of
from core import clock
from core.clock import milliseconds
from core.database import connect
from core.transactions import plain_cursor
from pipeline import counts
from pipeline.absorb import kept_rows
from pipeline.models import Erasure, KeptRow
from profiles.models import OptOut, Profile
from tests.support.pipeline_model import Person
from tests.support.pipeline_world import (
    ACTIVATED,
    ADS,
    BROWSERS,
    OWN,
    SPARE,
    PipelineWorld,
    texts_of,
)
from tests.support.traces import traces
from usersync.models import UserMapping


def check(world: PipelineWorld) -> None:
    _check_people(world)
    _check_audiences(world)
    _check_matches(world)
    _check_platforms(world)
    assert not Erasure.objects.filter(finished_at=None).exists()
    assert counts.check() == []
    _check_kept_rows(world)
    assert traces(world.model.gone - _remembered()) == set()
    assert world.shop.bad_rows() == []


def _check_people(world: PipelineWorld) -> None:
    """Each person is one profile that holds exactly what was sent for them, and there are no others."""
    seen: set[UUID] = set()
    for person in world.model.people:
        users = {world.find(name) for name in person.names}
        assert len(users) == 1, f"{person} is {users}"
        (user,) = users
        assert user is not None, f"lost: {person}"
        assert user not in seen, f"{person} is one with another"
        seen.add(user)
        profile = world.shop.profile(user)
        assert profile.opted_out is person.opted_out, person
        assert texts_of(profile) == {event.text for event in person.events}, person
        assert profile.attributes.get("amount") == person.amount, person
        counted = profile.activity.get(str(world.shop.pixel.id), {"total": 0})
        assert counted["total"] == person.total, person
        assert counted.get("last") == person.last, person
    assert {row.user_id for row in Profile.objects.filter(merged_into=None)} == seen


def _members(world: PipelineWorld, number: int) -> list[Person]:
    within = {audience.pk: other for other, audience in enumerate(world.audiences)}
    rule = world.written(world.drawn[number], number)
    return world.model.members(rule, milliseconds(clock.now()), lambda pk: _members(world, within[pk]))


def _member_ids(world: PipelineWorld, number: int) -> set[UUID]:
    found = {world.find(next(iter(person.names))) for person in _members(world, number)}
    return {user for user in found if user is not None}


def _check_audiences(world: PipelineWorld) -> None:
    """As the model reads the rule, and as SQL does."""
    for number, audience in enumerate(world.audiences):
        expected = _member_ids(world, number)
        assert world.shop.members(audience) == expected, world.drawn[number]
        assert _by_sql(audience) == expected, world.drawn[number]
        assert audiences.size(audience) == len(expected), world.drawn[number]
    known = [audience.pk for audience in world.audiences]
    assert not Membership.objects.exclude(audience_id__in=known).exists()
    assert not AudienceBucket.objects.exclude(audience_id__in=known).exists()


def _by_sql(audience: Audience) -> set[UUID]:
    audience.refresh_from_db()
    parsed = parse(audience.rule, schema_of(audience.customer_id))
    text, values = to_sql(parsed, now_ms=milliseconds(clock.now()), tables=TABLES)
    with plain_cursor() as cursor:
        cursor.execute(f"SELECT p.user_id FROM profile p WHERE {ELIGIBLE} AND {text}", values)
        return {user for (user,) in cursor}


def _check_matches(world: PipelineWorld) -> None:
    """The match table names whoever the model says, on the platforms that people are synced with."""
    now = milliseconds(clock.now())
    for account in (ADS, SPARE):
        rows = UserMapping.objects.filter(platform_id=world.platforms[account].pl)
        owned = world.model.owned(account, now)
        expected = {(value, world.find(next(iter(person.names)))) for value, person in owned.items()}
        assert set(rows.values_list("platform_user_id", "user_id")) == expected, account


def _check_platforms(world: PipelineWorld) -> None:
    """Each platform holds the ids of members; where it knows them by ours, those that the match table names."""
    now = milliseconds(clock.now())
    for account in (ADS, OWN):
        held = world.sandbox.held("generic", account)["segments"]
        live = set()
        for number in (number for number, where in ACTIVATED if where == account):
            activation = world.activation(number, account)
            assert activation is not None
            live.add(str(activation.segment_id))
            members = _members(world, number)
            if account == ADS:
                expected = {value for value, one in world.model.owned(ADS, now).items() if _among(one, members)}
            else:
                expected = _own_ids(world, number)
            has = set(held[str(activation.segment_id)]["members"])
            assert has == expected, f"{account} {number}: {has} in place of {expected}"
        left: dict[str, Any] = {one: segment["members"] for one, segment in held.items() if one not in live}
        assert not any(left.values()), "an activation that ended has left somebody"


def _own_ids(world: PipelineWorld, number: int) -> set[str]:
    """Our ids of the members: each one's own, and those that were theirs before they were merged."""
    members = _member_ids(world, number)
    rows = UserMapping.objects.filter(platform_id=world.platforms[OWN].pl, user_id__in=members)
    ids = set(rows.values_list("platform_user_id", flat=True))
    assert {str(user) for user in members} <= ids
    known = {name for person in _members(world, number) for name in person.names}
    assert ids & set(BROWSERS) <= known, "an id of somebody else"
    return ids


def _check_kept_rows(world: PipelineWorld) -> None:
    """What was accepted a moment ago is kept for a while: an erasure may have been asked for that not all see yet."""
    world.tick()
    with connect(durable=False) as own:
        kept_rows.forget(own, clock.now())
    assert not KeptRow.objects.exists()


def _remembered() -> set[str]:
    """Browsers that opted out stay opted out, though nothing else is known of them."""
    return {str(user) for user in OptOut.objects.values_list("user_id", flat=True)}


def _among(one: Person, people: list[Person]) -> bool:
    return any(one is other for other in people)
