"""One user's story, gathered from every room: what the API answers and what the console shows."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from activation.models import Delivery
from audiences.models import Audience, Membership
from core import buckets
from core.clock import moment
from core.models import Customer
from profiles.merges import surviving_profile
from profiles.models import Identity, Profile, ProfileMerge, SharedId
from profiles.personal.protection import Policy, Protection
from usersync.models import UserMapping

MOST_MERGES = 200


@dataclass(frozen=True, slots=True)
class Activity:
    first: datetime
    last: datetime
    count: int


@dataclass(frozen=True, slots=True)
class Known:
    """An id of the user; `kind` as in `profiles.Identity`."""

    kind: str
    value: str


@dataclass(frozen=True, slots=True)
class Cause:
    """The id that two were seen with, and the pixel that saw it."""

    kind: str
    value: str
    pixel: int | None


@dataclass(frozen=True, slots=True)
class Merge:
    """`user_id` was merged into `into`: the user of the story, or one that was merged in turn."""

    user_id: UUID
    into: UUID
    cause: Cause
    at: datetime


@dataclass(frozen=True, slots=True)
class SetAside:
    """An id for which the user has too many already; how often, and when."""

    kind: str
    value: str
    times: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Mapped:
    platform: int
    platform_user_id: str
    synced_at: datetime
    expires_at: datetime | None
    extra: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Belongs:
    """An audience that the user is in; `until` is when time alone may change that."""

    id: int
    name: str
    since: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Told:
    """What a platform should hold and last confirmed. `state`: done, due, sending, unknown or dead."""

    activation: int
    platform: int
    platform_user_id: str
    wanted: bool
    acknowledged: bool | None
    state: str
    at: datetime
    error: str


@dataclass(frozen=True, slots=True)
class Story:
    user_id: UUID
    customer: int
    created_at: datetime
    attributes: dict[str, Any]
    dimensions: dict[str, Any]
    activity: dict[str, Activity]
    identities: list[Known]
    merges: list[Merge]
    set_aside: list[SetAside]
    mappings: list[Mapped]
    audiences: list[Belongs]
    deliveries: list[Told]


def story(customer: int, user_id: UUID) -> Story | None:
    """The story of the user, or of the survivor that the user was merged into."""
    profile = surviving_profile(customer, user_id)
    if profile is None:
        return None
    return Story(
        user_id=profile.user_id,
        customer=customer,
        created_at=profile.created_at,
        attributes=profile.attributes,
        dimensions=profile.dimensions,
        activity=_activity(profile),
        identities=_identities(profile),
        merges=_merges(profile),
        set_aside=_set_aside(profile),
        mappings=_mappings(profile),
        audiences=_audiences(profile),
        deliveries=_deliveries(profile),
    )


def find(customer: int, text: str) -> list[UUID]:
    """The users whom an id of any kind names: our user id, the customer's, a device's or a platform's."""
    named = [user for value in _forms(customer, text) for user in _named(customer, value)]
    candidates = [*_as_user_id(text), *named]
    profiles = [surviving_profile(customer, candidate) for candidate in candidates]
    return list(dict.fromkeys(profile.user_id for profile in profiles if profile))


def _forms(customer: int, text: str) -> set[str]:
    """The id as it is written, and as it is kept where it is personal data in clear."""
    protection = Protection.of_customer(Customer.objects.get(pk=customer))
    return {text, replace(protection, policy=Policy.HASH).text(text)}


def _named(customer: int, value: str) -> list[UUID]:
    rows = Identity.objects.filter(bucket=buckets.of_value(value), customer_id=customer, value=value)
    return [user for user in rows.values_list("user_id", flat=True) if user is not None]


def _as_user_id(text: str) -> list[UUID]:
    try:
        return [UUID(text)]
    except ValueError:
        return []


def _activity(profile: Profile) -> dict[str, Activity]:
    return {
        pixel: Activity(moment(seen["first"]), moment(seen["last"]), seen["total"])
        for pixel, seen in profile.activity.items()
    }


def _identities(profile: Profile) -> list[Known]:
    return sorted((Known(kind, value) for kind, value in profile.ids), key=lambda known: (known.kind, known.value))


def _merges(profile: Profile) -> list[Merge]:
    """All that made the user, those of the merged ones too; oldest first."""
    found: list[Merge] = []
    winners, known = {profile.user_id}, {profile.user_id}
    while winners and len(found) < MOST_MERGES:
        rows = ProfileMerge.objects.filter(
            bucket__in={buckets.of_user(winner) for winner in winners},
            customer_id=profile.customer_id,
            winner__in=winners,
        )
        found += [
            Merge(row.loser, row.winner, Cause(row.kind, row.value, row.pixel_id or None), row.at) for row in rows
        ]
        winners = {merge.user_id for merge in found} - known
        known |= winners
    return sorted(found, key=lambda merge: (merge.at, merge.user_id))[:MOST_MERGES]


def _set_aside(profile: Profile) -> list[SetAside]:
    rows = SharedId.objects.filter(bucket=profile.bucket, customer_id=profile.customer_id, user_id=profile.user_id)
    return [
        SetAside(row.kind, row.value, row.times, row.first_at, row.last_at)
        for row in rows.order_by("-times")[:MOST_MERGES]
    ]


def _mappings(profile: Profile) -> list[Mapped]:
    rows = UserMapping.objects.filter(bucket=profile.bucket, user_id=profile.user_id, customer_id=profile.customer_id)
    return [
        Mapped(row.platform_id, row.platform_user_id, row.synced_at, row.expires_at, row.extra)
        for row in rows.order_by("platform_id", "platform_user_id")
    ]


def _audiences(profile: Profile) -> list[Belongs]:
    rows = Membership.objects.filter(
        bucket=profile.bucket, user_id=profile.user_id, customer_id=profile.customer_id, member=True
    )
    memberships = {row.audience_id: row for row in rows}
    names = Audience.objects.filter(pk__in=memberships).values_list("pk", "name")
    return [Belongs(pk, name, memberships[pk].since, memberships[pk].look_again_at) for pk, name in names]


def _deliveries(profile: Profile) -> list[Told]:
    """Those of the ids that the user has had: the index knows users by bucket, so every bucket is named."""
    activations = Audience.objects.filter(customer_id=profile.customer_id).values("activations")
    rows = Delivery.objects.filter(
        bucket__in=range(buckets.BUCKETS), user_id=profile.user_id, activation_id__in=activations
    )
    return [
        Told(
            activation=row.activation_id,
            platform=row.platform_id,
            platform_user_id=row.platform_user_id,
            wanted=row.wanted,
            acknowledged=row.acknowledged,
            state=_state(row),
            at=row.changed_at,
            error=row.error,
        )
        for row in rows.order_by("activation_id", "platform_user_id")
    ]


def _state(row: Delivery) -> str:
    if row.dead:
        return "dead"
    if row.claim is not None:
        return "sending"
    if row.due_at is not None:
        return "due"
    return "unknown" if row.acknowledged is None and row.wanted else "done"
