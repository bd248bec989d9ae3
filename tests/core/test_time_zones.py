"""Time zones are known by the names of the IANA's data, spelled as there."""

from datetime import UTC, datetime, timedelta

import pytest

from core.time_zones import UnknownTimeZoneError, time_zone, time_zone_fault, time_zone_names


@pytest.mark.parametrize("name", ["UTC", "Europe/Berlin", "Asia/Kathmandu", "Pacific/Apia", "Australia/Lord_Howe"])
def test_time_zone__of_a_known_name__has_no_fault_and_is_to_be_had(name: str) -> None:
    assert name in time_zone_names()
    assert time_zone_fault(name) == ""
    assert datetime(2026, 1, 1, tzinfo=time_zone(name)).utcoffset() is not None


@pytest.mark.parametrize(
    "name", ["", " UTC", "europe/berlin", "Berlin", "CEST", "+02:00", "../etc/passwd", "/etc/passwd", "Factory", "\0"]
)
def test_time_zone__of_a_name_that_is_none__is_refused(name: str) -> None:
    assert "IANA" in time_zone_fault(name)
    with pytest.raises(UnknownTimeZoneError):
        time_zone(name)


def test_time_zone__of_nepal__is_a_quarter_of_an_hour_off() -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC).astimezone(time_zone("Asia/Kathmandu"))

    assert moment.utcoffset() == timedelta(hours=5, minutes=45)
