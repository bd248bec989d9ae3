"""Looks at the inbox begin behind what is absorbed, whatever the oldest snapshot is; and they miss no row."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest
from django.db import connection

from core.buckets import BUCKETS, try_lock
from core.database import connect
from core.inbox import InboxKind
from core.models import Inbox
from core.transactions import send_to_every_bucket
from pipeline import backlog
from pipeline.absorb import inbox_marks
from pipeline.absorb.inbox_marks import InboxMarks
from profiles.messages import Convert
from tests.support.edge_process import until
from tests.support.pages import pages_read
from tests.support.shop import Shop, in_bucket, somebody

ROWS = 50_000
FEW = ROWS / 10  # pages: less than one for each deleted row; two looks go down an index in every bucket

APPEND = """
INSERT INTO inbox (bucket, kind, query, received_at)
SELECT number %% %s, %s, '', now() FROM generate_series(1, %s) AS number
"""
ABSORB = "DELETE FROM inbox WHERE kind = %s AND query = ''"
NOTES = """
INSERT INTO absorb_run (id, buckets, last_ids, started_at)
SELECT uuidv7(interval '-1 minute'), '{1}', '{1}', now() FROM generate_series(1, %s)
"""
TAKE_ID = "SELECT nextval('inbox_id_seq')"
APPEND_WITH_ID = "INSERT INTO inbox (bucket, id, kind, query, received_at) VALUES (%s, %s, %s, %s, now())"
SNAPSHOT = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM inbox"


@pytest.fixture
def long_report(shop: Shop, database_url: str) -> Iterator[None]:
    """Somebody reads for long: what is deleted meanwhile stays where it is."""
    with closing(psycopg.connect(database_url, autocommit=True)) as reader:
        reader.execute(SNAPSHOT)
        yield
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE inbox")  # what was deleted would stay in the way of the next tests


@pytest.fixture
def writer(shop: Shop, database_url: str) -> Iterator[psycopg.Connection[Any]]:
    """Somebody whose transaction writes to the inbox, and does not end."""
    with closing(psycopg.connect(database_url)) as writer:
        yield writer


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every look finds out how far ids are settled."""
    monkeypatch.setattr(inbox_marks, "EVERY_SECONDS", 0.0)


def absorb_many(kind: InboxKind = InboxKind.EVENT) -> None:
    """As if so many rows had been accepted and absorbed, in all buckets."""
    with connection.cursor() as cursor:
        cursor.execute(APPEND, [BUCKETS, int(kind), ROWS])
        cursor.execute(ABSORB, [int(kind)])


def pages_of_a_look(shop: Shop) -> int:
    return pages_read("inbox", shop.absorber._connection, shop.absorber.absorb)


@pytest.mark.usefixtures("long_report")
@pytest.mark.parametrize("kind", [InboxKind.EVENT, InboxKind.BUILD])
def test_look__while_a_snapshot_is_held__costs_the_same_however_much_was_absorbed(shop: Shop, kind: InboxKind) -> None:
    for _ in range(3):
        absorb_many(kind)
        until(lambda: pages_of_a_look(shop) < FEW)

    users = [somebody() for _ in range(50)]
    for user in users:
        shop.event(user)
    assert pages_of_a_look(shop) < FEW
    assert [shop.total(user) for user in users] == [1] * 50


@pytest.mark.usefixtures("long_report")
def test_look__while_one_bucket_waits_for_its_holder__costs_the_same(shop: Shop) -> None:
    """Rows at the front of one bucket do not make the other buckets be read from there on."""
    waiting = in_bucket(100, 1)
    with closing(connect(durable=False)) as holder, holder.transaction(), holder.cursor() as cursor:
        assert try_lock(cursor, {100}) == {100}
        shop.event(waiting)
        absorb_many()
        until(lambda: pages_of_a_look(shop) < FEW)
        absorb_many()
        until(lambda: pages_of_a_look(shop) < FEW)
        assert Inbox.objects.count() == 1

    assert shop.absorb() == 1
    assert shop.total(waiting) == 1


@pytest.mark.usefixtures("long_report")
def test_batch__while_a_snapshot_is_held__costs_the_same_however_many_were_noted(shop: Shop) -> None:
    """Each batch notes what it takes, and looks for notes of workers that died."""
    with connection.cursor() as cursor:
        cursor.execute(NOTES, [ROWS])
        cursor.execute("DELETE FROM absorb_run")

    def absorb_one() -> None:
        shop.event(somebody())
        assert shop.absorber.absorb() == 1

    until(lambda: pages_read("absorb_run", shop.absorber._connection, absorb_one) < FEW)


@pytest.mark.usefixtures("long_report")
def test_count_of_what_waits__while_a_snapshot_is_held__costs_the_same(shop: Shop) -> None:
    """Whoever sends rows in bulk asks for it many times a second."""
    marks = InboxMarks()
    absorb_many()
    shop.event(somebody())

    def count() -> None:
        assert backlog.rows_waiting(100, marks) == 1

    connection.ensure_connection()
    until(lambda: pages_read("inbox", connection.connection, count) < FEW)


@pytest.mark.usefixtures("eager")
def test_row__of_a_transaction_that_commits_late__is_absorbed(shop: Shop, writer: psycopg.Connection[Any]) -> None:
    late, others = somebody(), [somebody() for _ in range(20)]
    shop.event(late)
    row = Inbox.objects.get()
    Inbox.objects.all().delete()
    writer.execute(
        "INSERT INTO inbox (bucket, kind, query, received_at) VALUES (%s, %s, %s, now())",
        [row.bucket, row.kind, bytes(row.query)],
    )
    for other in others:
        shop.event(other)
        shop.absorb()
    for _ in range(5):
        assert shop.absorber.absorb() == 0

    writer.commit()
    assert shop.absorb() == 1
    assert [shop.total(user) for user in (late, *others)] == [1] * 21


@pytest.mark.usefixtures("eager")
def test_row__whose_writer_stopped_between_its_id_and_its_row__is_absorbed(
    shop: Shop, writer: psycopg.Connection[Any]
) -> None:
    """Such a transaction has no transaction id yet: no snapshot names it."""
    late = somebody()
    shop.event(late)
    row = Inbox.objects.get()
    Inbox.objects.all().delete()
    writer.execute("LOCK TABLE inbox IN ROW EXCLUSIVE MODE")  # as INSERT does before it takes an id
    (taken,) = writer.execute(TAKE_ID).fetchone() or (0,)
    for _ in range(5):
        shop.event(somebody())
        assert shop.absorb() == 1

    writer.execute(APPEND_WITH_ID, [row.bucket, taken, row.kind, bytes(row.query)])
    writer.commit()
    assert shop.absorb() == 1
    assert shop.total(late) == 1


@pytest.mark.usefixtures("eager")
def test_ids__that_begin_anew__are_absorbed(shop: Shop) -> None:
    """As after a restore from a backup, for a worker that has not noticed."""
    for _ in range(3):
        shop.event(somebody())
        shop.absorb()
    with connection.cursor() as cursor:
        cursor.execute("ALTER SEQUENCE inbox_id_seq RESTART")
    user = somebody()
    shop.event(user)
    shop.absorb()

    assert shop.total(user) == 1


@pytest.mark.usefixtures("eager")
def test_bulk_commands__that_wait_behind_events__are_found(shop: Shop) -> None:
    """Events and bulk commands of a bucket are absorbed independently: the marks of one say nothing of the other."""
    send_to_every_bucket(InboxKind.CONVERT, Convert(customer=shop.customer.m))
    for _ in range(3):
        shop.event(somebody())
        shop.absorber.absorb()
    shop.absorb()
    assert not Inbox.objects.exists()
