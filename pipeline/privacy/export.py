"""Everything that the hub holds on one user of a customer, as JSON: what a person may ask for.

A browser's id may be known to several customers: what is theirs is not in it.
"""

from typing import Any
from uuid import UUID

from django.db.models import Model, QuerySet

from activation.models import DeadLetter, Delivery
from audiences.models import Audience, ListedUser, Membership
from core.buckets import BUCKETS
from core.scope import Scope
from profiles.merges import browsers_logged_in, surviving_profile
from profiles.models import Identity, Profile, ProfileExcess, ProfileMerge, SharedId
from usersync.models import MatchClaim, UserMapping

LEFT_OUT = {"bucket", "customer_id", "pk"}


def export(customer: int, user_id: UUID) -> dict[str, Any] | None:
    """Of the user, or of the survivor that the user was merged into; None where nobody is known.

    `{"profile": {…}, "identities": […], …}`: a section for each table, a row as it is stored.
    """
    profile = surviving_profile(customer, user_id)
    if profile is None:
        return None
    user, bucket = profile.user_id, profile.bucket
    own = {"bucket": bucket, "customer_id": customer}
    scope = Scope.of_customer(customer)
    merged = Profile.objects.filter(bucket__in=range(BUCKETS), customer_id=customer, merged_into=user)
    return {
        "customer": customer,
        "profile": _row(profile),
        "merged_ids": [str(one) for one in merged.values_list("user_id", flat=True)],
        "merges": _rows(ProfileMerge.objects.filter(**own, winner=user)),
        "ids_set_aside": _rows(SharedId.objects.filter(**own, user_id=user)),
        "excess": _rows(ProfileExcess.objects.filter(**own, user_id=user)),
        "identities": _rows(Identity.objects.filter(bucket__in=range(BUCKETS), customer_id=customer, user_id=user)),
        "browsers_logged_in": [
            {"user_id": browser, "login_at": at} for browser, at in browsers_logged_in(profile).items()
        ],
        "mappings": _rows(UserMapping.objects.filter(**own, user_id=user)),
        "claims": _rows(MatchClaim.objects.filter(**own, user_id=user)),
        "audiences": _memberships(scope, Membership.objects.filter(**own, user_id=user)),
        "lists": _memberships(scope, ListedUser.objects.filter(**own, user_id=user)),
        "deliveries": _rows(scope.of(Delivery).filter(bucket__in=range(BUCKETS), user_id=user)),
        "dead_letters": _rows(scope.of(DeadLetter).filter(bucket__in=range(BUCKETS), user_id=user)),
    }


def _rows(rows: QuerySet[Any]) -> list[dict[str, Any]]:
    return [_row(row) for row in rows]


def _row(row: Model) -> dict[str, Any]:
    names = [field.attname for field in row._meta.concrete_fields]
    return {name: getattr(row, name) for name in names if name not in LEFT_OUT}


def _memberships(scope: Scope, rows: QuerySet[Any]) -> list[dict[str, Any]]:
    names = dict(scope.of(Audience).values_list("pk", "name"))
    return [{"audience": names.get(row.audience_id, ""), **_row(row)} for row in rows]
