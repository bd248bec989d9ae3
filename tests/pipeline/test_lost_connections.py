"""The database goes away over one row again and again, and its worker lives: the row is not to blame."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime

import psycopg
import pytest
from django.db import connection

from core.database import connect
from core.models import Inbox
from pipeline.absorb.absorber import Absorber
from pipeline.absorb.journal import Journal
from pipeline.absorb.lost_batches import LostBatch, ServerLife
from pipeline.absorb.rows import DEADLY, SIZES, InboxRow
from tests.support.shop import Shop, somebody

OFTEN = 2 * DEADLY + len(SIZES)
# ends connections at the first statements that write a profile
ENDING = """
CREATE SEQUENCE endings;
CREATE FUNCTION end_connections() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF nextval('endings') <= {times} THEN
        PERFORM pg_terminate_backend(pid) FROM pg_stat_activity WHERE {which};
        PERFORM pg_sleep(10);
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER end_connections BEFORE INSERT OR UPDATE ON profile FOR EACH ROW EXECUTE FUNCTION end_connections();
"""
OVER = """
DROP TRIGGER IF EXISTS end_connections ON profile; DROP FUNCTION IF EXISTS end_connections;
DROP SEQUENCE IF EXISTS endings
"""
WHICH = {"the batch's": "pid = pg_backend_pid()", "all": "application_name = 'dmphub absorb'"}

BEFORE = ServerLife(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))
LATER = datetime(2026, 1, 3, tzinfo=UTC)


@pytest.fixture
def committed(shop: Shop) -> Iterator[Shop]:
    yield shop
    with connection.cursor() as cursor:
        cursor.execute(OVER)


@pytest.mark.parametrize("which", WHICH.values(), ids=WHICH.keys())
def test_row__over_which_connections_are_lost_again_and_again__is_absorbed_once_in_the_end(
    committed: Shop, which: str
) -> None:
    shop, user = committed, somebody()
    shop.event(user, {"a": 1})
    with connection.cursor() as cursor:
        cursor.execute(ENDING.format(times=OFTEN, which=which))

    lost = 0
    while Inbox.objects.exists():
        with suppress(psycopg.OperationalError):
            shop.absorb()
            continue
        lost += 1
        assert lost <= OFTEN
        shop.absorber.close()
        shop.absorber = Absorber(shop.touched.append)

    assert lost == OFTEN
    assert shop.bad_rows() == []
    assert shop.total(user) == 1


def test_attempts__that_another_worker_counted_too_soon__are_taken_back(shop: Shop) -> None:
    """The other one finds the note before its own worker has a connection again."""
    shop.event(somebody(), {"a": 1})
    found = Inbox.objects.get()
    row = InboxRow(found.bucket, found.id, found.kind, b"", None, found.received_at, 0)
    own, others = Journal(connect(durable=False)), Journal(connect(durable=False))
    for times in range(1, OFTEN):
        own.remember_lost(own.note([row]), told=True)
        with connect(durable=False) as other, other.cursor() as cursor:
            others._full_look_at = 0.0
            others.count_attempts(cursor, {row.bucket})
        counted = Inbox.objects.get().attempts
        assert counted == min(times, len(SIZES))

        own.settle_lost()

        assert Inbox.objects.get().attempts == min(times, len(SIZES) - 1)
    for journal in (own, others):
        journal.close()


@pytest.mark.parametrize(
    ("now", "told", "is_to_blame"),
    [
        (BEFORE, False, False),  # the network
        (BEFORE._replace(started_at=LATER), False, False),  # stopped and started
        (BEFORE._replace(recovered_at=LATER), True, False),  # another's backend crashed
        (BEFORE._replace(recovered_at=LATER), False, True),
        (ServerLife(LATER, LATER), False, False),  # killed as a whole
    ],
)
def test_batch__is_to_blame__where_its_own_backend_crashed(now: ServerLife, told: bool, is_to_blame: bool) -> None:
    assert LostBatch(None, BEFORE, told=told).is_to_blame(now) is is_to_blame
