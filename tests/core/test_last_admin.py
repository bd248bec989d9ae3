"""Two changes at the same time do not take away the last two admins."""

from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction

from core.access import EVERYTHING
from core.errors import LastAdminError
from core.people import members
from tests.support.console_people import person
from tests.support.edge_process import until
from tests.support.tables import db

__all__ = ["db"]

WAITING = "SELECT 1 FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = %s)"


def remove(user: User) -> None:
    try:
        members.remove(EVERYTHING, user)
    finally:
        connection.close()


def is_waited_for() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(WAITING, [connection.settings_dict["NAME"]])
        return cursor.fetchone() is not None


def test_admins__removed_at_the_same_time__one_remains(db: None) -> None:
    first, second = person("admin", name="first"), person("admin", name="second")

    with ThreadPoolExecutor(1) as threads:
        with transaction.atomic():
            members.remove(EVERYTHING, first)
            other: Future[None] = threads.submit(remove, second)
            until(lambda: other.done() or is_waited_for())
        with pytest.raises(LastAdminError):
            other.result()

    assert [user.username for user in User.objects.filter(memberships__role="admin")] == ["second"]
