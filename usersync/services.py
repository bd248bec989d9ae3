"""What the API and the console ask of user sync: links for mailings, and how well platforms are matched.

Needs Django, so the edge must never import this module.
"""

from datetime import datetime

from django.conf import settings
from django.db.models import Max, Sum

from core.keys import TokenSigner
from integrations.models import Platform
from usersync.links import PURPOSE, LinkKind, make_link
from usersync.models import MappedUsers


def link_for(platform: Platform, kind: str, target: str, mailing: str) -> str:
    """Make the address that a mailing completes with its reader's id. Raises `usersync.links.BadLinkError`."""
    signer = TokenSigner(settings.ENVIRONMENT.derived_secrets(PURPOSE))
    return make_link(signer, settings.EDGE_URL, platform.pk, LinkKind(kind), target, mailing)


def mapped_users() -> dict[int, int]:
    """Returns the number of users that each platform knows."""
    rows = MappedUsers.objects.values("platform_id").annotate(mapped=Sum("users"))
    return {row["platform_id"]: row["mapped"] for row in rows}


def newest_sync(platform: int) -> datetime | None:
    """Returns when an id of the platform was matched last."""
    newest: datetime | None = MappedUsers.objects.filter(platform_id=platform).aggregate(at=Max("newest_sync"))["at"]
    return newest
