"""The hub, and each customer, keeps an admin: no change takes away the last one, or ends it sooner.

A person who administers is one that may log in. An API key counts too, as long as it is valid, but it takes no person's
place: a hub whose people cannot administer it any more would need its database.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models import Q

from core import clock
from core.access import Role
from core.errors import LastAdminError
from core.models import ApiKey
from core.people.models import TeamMember

_LOCK = "SELECT pg_advisory_xact_lock(hashtext('admins'))"
_FOREVER = datetime.max.replace(tzinfo=UTC)
_NEVER = datetime.min.replace(tzinfo=UTC)

Ends = Mapping[int | None, datetime]
"""Until when there is an admin, by customer; None: an admin of every customer."""


@contextmanager
def admin_remains() -> Iterator[None]:
    """Undo the change of people or keys that is made inside, where it leaves fewer admins than there must be.

    One such change at a time, in a transaction. Raises `LastAdminError`.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_LOCK)
        people, keys = _people(), _keys()
        everybody = _later(people, keys)
        yield
        remaining = _people()
        if _ends_sooner(people, remaining) or _ends_sooner(everybody, _later(remaining, _keys())):
            raise LastAdminError


def _ends_sooner(before: Ends, after: Ends) -> bool:
    return any(end > max(after.get(owner, _NEVER), after.get(None, _NEVER)) for owner, end in before.items())


def _later(one: Ends, other: Ends) -> Ends:
    return {owner: max(one.get(owner, _NEVER), other.get(owner, _NEVER)) for owner in (*one, *other)}


def _people() -> Ends:
    """Return whom people administer who may enter the console."""
    entering = {"user__is_active": True, "user__is_staff": True}
    roles = TeamMember.objects.filter(role=Role.ADMIN.value, **entering).values_list("customer_id", flat=True)
    found: dict[int | None, datetime] = dict.fromkeys(roles.distinct(), _FOREVER)
    if User.objects.filter(is_active=True, is_staff=True, is_superuser=True).exists():
        found[None] = _FOREVER
    return found


def _keys() -> Ends:
    valid = Q(expires_at=None) | Q(expires_at__gt=clock.now())
    rows = ApiKey.objects.filter(valid, role=Role.ADMIN.value, revoked_at=None)
    found: dict[int | None, datetime] = {}
    for owner, end in rows.values_list("customer_id", "expires_at"):
        found[owner] = max(found.get(owner, _NEVER), end or _FOREVER)
    return found
