"""The purchase log, moved in time."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from local.demo.platforms import visitors_among
from local.demo.purchases import Purchase, moved_to, read_log

LOG = """\
 customer_id  date number_of_cds  dollar_value
 00001 19980601  1   11.77
 00001 19980630  2   29.33
 00002 19980601  5    0.00
 00003 19970101  1   12.00
"""
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log.txt"
    path.write_text(LOG, encoding="ascii")
    return path


def moment(year: int, month: int, day: int, hour: int = 0) -> int:
    return int(datetime(year, month, day, hour, tzinfo=UTC).timestamp())


def test_moved_to__a_log__the_last_day_is_today_and_distances_stay(log: Path) -> None:
    purchases = moved_to(read_log(log), NOON)

    assert purchases == [
        Purchase("00003", moment(2024, 9, 11), 1, 1200),
        Purchase("00001", moment(2026, 2, 9), 1, 1177),
        Purchase("00002", moment(2026, 2, 9, 12), 5, 0),
        Purchase("00001", moment(2026, 3, 10), 2, 2933),
    ]


@pytest.mark.parametrize("now", [NOON, datetime(2026, 3, 10, 0, 0, 1, tzinfo=UTC)])
def test_moved_to__purchases_of_today__lie_in_the_past_and_in_order(log: Path, now: datetime) -> None:
    entries = [entry for entry in read_log(log) if entry.day.isoformat() == "1998-06-30"] * 50

    moments = [purchase.at for purchase in moved_to(entries, now)]

    assert moments == sorted(moments)
    assert moment(2026, 3, 10) <= moments[0]
    assert moments[-1] <= now.timestamp()


def test_read_log__some_customers__gives_all_their_purchases(log: Path) -> None:
    assert {entry.customer for entry in read_log(log, customers=2)} == {"00001", "00002"}
    assert len(read_log(log, customers=2)) == 3
    assert len(read_log(log, customers=99)) == 4


def test_visitors_among__the_same_log__are_the_same_people(log: Path) -> None:
    purchases = moved_to(read_log(log), NOON)

    assert visitors_among(purchases) == visitors_among(moved_to(read_log(log), datetime.now(UTC)))
