"""Adding to a count costs the same however often that was done while a snapshot is held; and the sums are exact."""

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from activation.stores.activation_counts import DeliveryChanges
from audiences import store as memberships
from core import count_periods
from core.count_periods import PAST, CountSummer
from core.database import Connection, connect
from pipeline import counts
from profiles import user_counts as known_users
from tests.support.pages import pages_read
from tests.support.shop import Shop
from usersync import user_counts as mapped_users

ADDITIONS = 2_000
MORE = 10  # pages. So many versions of a row fill some twenty
SNAPSHOT = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM known_users"

# each in a transaction of its own
ONCE_MORE = """
DO $$ BEGIN FOR number IN 1..{times} LOOP UPDATE {table} SET {column} = {column} + 1; COMMIT; END LOOP; END $$
"""


def _add_deliveries(cursor: "psycopg.Cursor[Any]") -> None:
    changes = DeliveryChanges(cursor, locked=True)
    changes.add((1, 2), (1, 0, 0, 0, 0, 0, 0))
    changes.write()


# one more of what the table counts, in bucket 1
ADD: dict[str, Callable[["psycopg.Cursor[Any]"], None]] = {
    "activation_count": _add_deliveries,
    "audience_bucket": lambda cursor: memberships.count_moves(cursor, {(1, 2): (1, 0)}),
    "known_users": lambda cursor: known_users.correct(cursor, {(1, 2): 1}),
    "mapped_users": lambda cursor: mapped_users.correct(cursor, {(1, 2): 1}),
}
COLUMN = {"activation_count": "wanted", "audience_bucket": "size", "known_users": "users", "mapped_users": "users"}


@pytest.fixture
def own(shop: Shop) -> Iterator[Connection]:
    with closing(connect(durable=False)) as own:
        yield own


@pytest.fixture
def long_report(own: Connection, database_url: str) -> Iterator[None]:
    with closing(psycopg.connect(database_url, autocommit=True)) as reader:
        reader.execute(SNAPSHOT)
        yield


@pytest.fixture
def summer(monkeypatch: pytest.MonkeyPatch) -> CountSummer:
    """It sums up whenever it is asked to."""
    monkeypatch.setattr(count_periods, "SECONDS", 0)
    monkeypatch.setattr(count_periods, "PASS_SECONDS", 0.0)
    return CountSummer(counts.TABLES)


def rows_of(own: Connection, table: str) -> dict[int, int]:
    """Counts by period, of the one thing that is counted."""
    return dict(own.execute(f"SELECT period, sum({COLUMN[table]})::int FROM {table} GROUP BY period").fetchall())


def age(own: Connection, table: str, periods: int) -> None:
    """As if so many periods had gone by since the last additions."""
    own.execute(f"UPDATE {table} SET period = period - {periods} WHERE period > {PAST}")


def sum_up(own: Connection, summer: CountSummer) -> None:
    with own.transaction(), own.cursor() as cursor:
        summer.sum_up(cursor, {1})
    summer.committed()


@pytest.mark.usefixtures("long_report")
@pytest.mark.parametrize("table", [table.name for table in counts.TABLES])
def test_addition__while_a_snapshot_is_held__does_not_read_what_was_added_in_former_periods(
    own: Connection, summer: CountSummer, table: str
) -> None:

    def add_and_sum_up(summer: CountSummer) -> None:
        """As if another period had gone by."""
        summer._done = [max(PAST, period - 1) for period in summer._done]
        with own.cursor() as cursor:
            ADD[table](cursor)
        sum_up(own, summer)

    former = CountSummer(counts.TABLES)
    add_and_sum_up(former)
    usually = pages_read(table, own, lambda: add_and_sum_up(former))
    age(own, table, 9)
    own.execute(ONCE_MORE.format(times=ADDITIONS, table=table, column=COLUMN[table]))
    sum_up(own, summer)
    assert rows_of(own, table) == {PAST: ADDITIONS + 2}

    assert pages_read(table, own, lambda: add_and_sum_up(summer)) < usually + MORE
    assert sum(rows_of(own, table).values()) == ADDITIONS + 3


@pytest.mark.usefixtures("own")
@given(steps=st.lists(st.sampled_from(["add", "wait", "sum up", "sum up, roll back"]), max_size=25))
@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_sum__of_all_periods__is_what_was_added_whenever_it_is_summed_up(steps: list[str]) -> None:
    summer, added = CountSummer(counts.TABLES), 0
    summer._next_pass = 0.0
    with closing(connect(durable=False)) as own:
        for table in counts.TABLES:
            own.execute(f"DELETE FROM {table.name}")
        for step in steps:
            summer._next_pass = 0.0
            if step == "add":
                added += 1
                with own.cursor() as cursor:
                    for table in counts.TABLES:
                        ADD[table.name](cursor)
            elif step == "wait":
                for table in counts.TABLES:
                    age(own, table.name, 2)
            elif step == "sum up":
                sum_up(own, summer)
            else:
                with own.transaction(force_rollback=True), own.cursor() as cursor:
                    summer.sum_up(cursor, {1})
            for table in counts.TABLES:
                assert sum(rows_of(own, table.name).values()) == added


def test_tables_of_counts__are_all_those_with_a_period(own: Connection) -> None:
    columns = own.execute("SELECT table_name FROM information_schema.columns WHERE column_name = 'period'")
    assert {name for (name,) in columns} == {table.name for table in counts.TABLES} == ADD.keys()


def test_version_of_an_audience__is_kept_where_its_sizes_are_summed_up(own: Connection, summer: CountSummer) -> None:
    with own.cursor() as cursor:
        memberships.mark_built(cursor, [1], 2, 7)
        ADD["audience_bucket"](cursor)
    age(own, "audience_bucket", 5)
    sum_up(own, summer)

    assert own.execute("SELECT period, version, size FROM audience_bucket").fetchall() == [(PAST, 7, 1)]
