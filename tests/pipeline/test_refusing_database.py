"""A database that refuses for reasons of its own: no row is to blame, however often it happens."""

from collections.abc import Callable, Iterator
from contextlib import suppress

import django.db
import psycopg
import pytest
from django.db import connection

from core import buckets
from core.models import Inbox
from pipeline.absorb.rows import DEADLY, SIZES
from tests.support.shop import Shop, somebody

# raises an error of that class at the first statements that write a profile whose attributes contain a text
TROUBLE = """
CREATE SEQUENCE refusals;
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.attributes @> '{marked}' AND nextval('refusals') <= {times} THEN
        RAISE EXCEPTION 'the database refuses' USING ERRCODE = '{code}';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON profile FOR EACH ROW EXECUTE FUNCTION refuse();
"""
OVER = "DROP TRIGGER IF EXISTS refuse ON profile; DROP FUNCTION IF EXISTS refuse; DROP SEQUENCE IF EXISTS refusals"

Refuse = Callable[[str, str, int], None]

PASSING = {
    "deadlock": "40P01",
    "serialization failure": "40001",
    "statement time-out": "57014",
    "lock time-out": "55P03",
    "disk full": "53100",
    "out of memory": "53200",
    "too many connections": "53300",
    "input or output error": "58030",
    "read-only after a failover": "25006",
    "a table of another release": "42P01",
    "a column of another release": "42703",
    "a right that was taken away": "42501",
}


@pytest.fixture
def refuse(db: None) -> Iterator[Refuse]:
    """`refuse(code, marked, times)`."""

    def begin(code: str, marked: str, times: int) -> None:
        with connection.cursor() as cursor:
            cursor.execute(TROUBLE.format(code=code, marked=marked, times=times))

    yield begin
    with connection.cursor() as cursor:
        cursor.execute(OVER)


def absorb_until_it_succeeds(shop: Shop) -> int:
    """How often the database refused."""
    refusals = 0
    while Inbox.objects.exists():
        with suppress(psycopg.Error, django.db.Error):
            shop.absorb()
            continue
        refusals += 1
        assert refusals < 100
    return refusals


@pytest.mark.parametrize("code", PASSING.values(), ids=PASSING.keys())
def test_rows__of_batches_that_the_database_refuses_again_and_again__are_absorbed_once_in_the_end(
    shop: Shop, refuse: Refuse, code: str
) -> None:
    users = [somebody() for _ in range(2)]
    refuse(code, "{}", 2 * DEADLY + len(SIZES) + 2)
    for user in users:
        shop.event(user, {"a": 1})

    assert absorb_until_it_succeeds(shop) > DEADLY

    assert shop.bad_rows() == []
    assert [shop.total(user) for user in users] == [1] * 2


@pytest.mark.parametrize("code", ["54000", "54001", "22001", "22P02"])
def test_row__whose_own_value_is_refused__ends_alone_among_the_bad_rows(shop: Shop, refuse: Refuse, code: str) -> None:
    users = [somebody() for _ in range(5)]
    refuse(code, '{"a": 3}', 1000)
    for number, user in enumerate(users):
        shop.event(user, {"a": number})

    assert absorb_until_it_succeeds(shop) == 0

    assert [row.bucket for row in shop.bad_rows()] == [buckets.of_user(users[3])]
    assert [shop.total(user) for number, user in enumerate(users) if number != 3] == [1] * 4
