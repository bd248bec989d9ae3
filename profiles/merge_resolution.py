"""Who answers for a user's id now."""

from uuid import UUID

from core import buckets
from profiles.models import Profile


def survivor(customer: int, user_id: UUID) -> Profile | None:
    """The profile that answers for the id: its own, or the one that it was merged into."""
    seen: set[UUID] = set()
    while user_id not in seen:
        seen.add(user_id)
        bucket = buckets.of_user(user_id)
        profile = Profile.objects.filter(bucket=bucket, customer_id=customer, user_id=user_id).first()
        if profile is None or profile.merged_into is None:
            return profile
        user_id = profile.merged_into
    return None
