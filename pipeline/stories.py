"""One user's story: all that the hub knows of a user, gathered from every room for the API and the console."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings

from activation.models import Delivery
from audiences.models import Audience, Membership
from core import buckets
from core.clock import moment
from core.ids.spelling import DEVICE, one_spelling
from core.json_values import text_size
from core.limits import DataCaps
from core.models import Customer
from profiles import excess
from profiles.excess import Excess
from profiles.merges import browsers_logged_in, surviving_profile
from profiles.models import Identity, Profile, ProfileMerge, SharedId
from profiles.personal.protection import Policy, Protection
from profiles.state import COOKIE, USER_KEY
from usersync.models import UserMapping

MOST_MERGES = 200


@dataclass(frozen=True, slots=True)
class PixelActivity:
    first: datetime
    last: datetime
    count: int


@dataclass(frozen=True, slots=True)
class KnownId:
    """An id of the user; `kind` as in `profiles.models.Identity`, or `cookie` for a browser."""

    kind: str
    value: str


@dataclass(frozen=True, slots=True)
class UserMergeCause:
    """Why two users became one: the id that both were seen with, and the pixel that saw it."""

    kind: str
    value: str
    pixel: int | None


@dataclass(frozen=True, slots=True)
class UserMerge:
    """`user_id` was merged into `into`, which is the user of the story or was itself merged later."""

    user_id: UUID
    into: UUID
    cause: UserMergeCause
    at: datetime


@dataclass(frozen=True, slots=True)
class SetAsideId:
    """A shared id: it was not merged because the user has too many ids already. How often, and when."""

    kind: str
    value: str
    times: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class ProfileSize:
    """How large the profile's attributes are, and the most that they may be. `bytes`: of their JSON."""

    attributes: int
    bytes: int
    most_attributes: int
    most_bytes: int


@dataclass(frozen=True, slots=True)
class UserPlatformId:
    platform: int
    platform_user_id: str
    synced_at: datetime
    expires_at: datetime | None
    extra: dict[str, Any]


@dataclass(frozen=True, slots=True)
class UserAudience:
    """An audience that the user is in. `until`: when the passing of time alone may end that."""

    id: int
    name: str
    since: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True)
class UserDelivery:
    """What a platform should hold of an id, and what it last confirmed. `state`: done, due, sending, unknown, dead."""

    activation: int
    platform: int
    platform_user_id: str
    wanted: bool
    acknowledged: bool | None
    state: str
    at: datetime
    error: str


@dataclass(frozen=True, slots=True)
class UserStory:
    user_id: UUID
    customer: int
    created_at: datetime
    attributes: dict[str, Any]
    dimensions: dict[str, Any]
    activity: dict[str, PixelActivity]
    identities: list[KnownId]
    merges: list[UserMerge]
    set_aside: list[SetAsideId]
    size: ProfileSize
    excess: Excess | None
    mappings: list[UserPlatformId]
    audiences: list[UserAudience]
    deliveries: list[UserDelivery]


def story(customer: int, user_id: UUID) -> UserStory | None:
    """Returns the story of the user, or of the profile that the user was merged into. None if nobody is known."""
    profile = surviving_profile(customer, user_id)
    if profile is None:
        return None
    return UserStory(
        user_id=profile.user_id,
        customer=customer,
        created_at=profile.created_at,
        attributes=profile.attributes,
        dimensions=profile.dimensions,
        activity=_activity(profile),
        identities=_identities(profile),
        merges=_merges(profile),
        set_aside=_set_aside(profile),
        size=_size(profile),
        excess=excess.of_users(customer, [profile.user_id, *_merged_ids(profile)]),
        mappings=_mappings(profile),
        audiences=_audiences(profile),
        deliveries=_deliveries(profile),
    )


def find(customer: int, text: str) -> list[UUID]:
    """Returns the users whom an id names, whatever its kind: ours, the customer's, a device's or a platform's."""
    named = [user for value in _forms(customer, text) for user in _named(customer, value)]
    candidates = [*_as_user_id(text), *named]
    profiles = [surviving_profile(customer, candidate) for candidate in candidates]
    return list(dict.fromkeys(profile.user_id for profile in profiles if profile))


def _forms(customer: int, text: str) -> set[str]:
    """Returns the id as it is written, in its one spelling, and as it is kept if it is personal data in clear."""
    protection = Protection.of_customer(Customer.objects.get(pk=customer))
    spelled = {one_spelling(kind, text) for kind in (USER_KEY, DEVICE)}
    return {text, *spelled, replace(protection, policy=Policy.HASH).text(text)}


def _named(customer: int, value: str) -> list[UUID]:
    rows = Identity.objects.filter(bucket=buckets.of_value(value), customer_id=customer, value=value)
    return [user for user in rows.values_list("user_id", flat=True) if user is not None]


def _as_user_id(text: str) -> list[UUID]:
    try:
        return [UUID(text)]
    except ValueError:
        return []


def _activity(profile: Profile) -> dict[str, PixelActivity]:
    return {
        pixel: PixelActivity(moment(seen["first"]), moment(seen["last"]), seen["total"])
        for pixel, seen in profile.activity.items()
    }


def _identities(profile: Profile) -> list[KnownId]:
    """Returns the ids of the profile, and as cookies the browsers that are logged in as the user."""
    own = {KnownId(kind, value) for kind, value in profile.ids}
    browsers = {KnownId(COOKIE, str(browser)) for browser in browsers_logged_in(profile)}
    return sorted(own | browsers, key=lambda known: (known.kind, known.value))


def _merges(profile: Profile) -> list[UserMerge]:
    """Returns the merges that made the user, those of the merged users too, oldest first."""
    found: list[UserMerge] = []
    winners, known = {profile.user_id}, {profile.user_id}
    while winners and len(found) < MOST_MERGES:
        rows = ProfileMerge.objects.filter(
            bucket__in={buckets.of_user(winner) for winner in winners},
            customer_id=profile.customer_id,
            winner__in=winners,
        )
        found += [
            UserMerge(row.loser, row.winner, UserMergeCause(row.kind, row.value, row.pixel_id or None), row.at)
            for row in rows
        ]
        winners = {merge.user_id for merge in found} - known
        known |= winners
    return sorted(found, key=lambda merge: (merge.at, merge.user_id))[:MOST_MERGES]


def _set_aside(profile: Profile) -> list[SetAsideId]:
    rows = SharedId.objects.filter(bucket=profile.bucket, customer_id=profile.customer_id, user_id=profile.user_id)
    return [
        SetAsideId(row.kind, row.value, row.times, row.first_at, row.last_at)
        for row in rows.order_by("-times")[:MOST_MERGES]
    ]


def _size(profile: Profile) -> ProfileSize:
    caps: DataCaps = settings.ENVIRONMENT.data_caps
    return ProfileSize(
        len(profile.attributes), text_size(profile.attributes), caps.profile_attributes, caps.profile_bytes
    )


def _merged_ids(profile: Profile) -> list[UUID]:
    return [UUID(value) for kind, value in profile.ids if kind == COOKIE]


def _mappings(profile: Profile) -> list[UserPlatformId]:
    rows = UserMapping.objects.filter(bucket=profile.bucket, user_id=profile.user_id, customer_id=profile.customer_id)
    return [
        UserPlatformId(row.platform_id, row.platform_user_id, row.synced_at, row.expires_at, row.extra)
        for row in rows.order_by("platform_id", "platform_user_id")
    ]


def _audiences(profile: Profile) -> list[UserAudience]:
    rows = Membership.objects.filter(
        bucket=profile.bucket, user_id=profile.user_id, customer_id=profile.customer_id, member=True
    )
    memberships = {row.audience_id: row for row in rows}
    names = Audience.objects.filter(pk__in=memberships).values_list("pk", "name")
    return [UserAudience(pk, name, memberships[pk].since, memberships[pk].look_again_at) for pk, name in names]


def _deliveries(profile: Profile) -> list[UserDelivery]:
    """Returns the deliveries of all ids that the user has had. Every bucket is named, so that the index is used."""
    activations = Audience.objects.filter(customer_id=profile.customer_id).values("activations")
    rows = Delivery.objects.filter(
        bucket__in=range(buckets.BUCKETS), user_id=profile.user_id, activation_id__in=activations
    )
    return [
        UserDelivery(
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
