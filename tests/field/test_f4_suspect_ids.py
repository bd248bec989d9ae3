"""F4: an id that nobody has heard of names very many browsers. It is stopped, and a person judges it."""

import secrets
import time
from dataclasses import replace
from typing import Any

import pytest

from core.limits import SuspectLimits
from profiles.models import WaitingLink
from tests.support.edge_process import CUSTOMER
from tests.support.field import Field

FORTY_DAYS_AGO = int(time.time()) - 86_400 * 40


@pytest.fixture(autouse=True)
def _as_delivered(settings: Any) -> None:
    settings.ENVIRONMENT = replace(settings.ENVIRONMENT, suspect_limits=SuspectLimits())


@pytest.fixture
def terminal() -> str:
    """The user key that a terminal shows whoever sits there."""
    return f"terminal-{secrets.token_hex(4)}b"


@pytest.fixture
def crowd(field: Field, terminal: str) -> list[str]:
    """Twenty browsers that show the same user key within a minute."""
    browsers = [field.browser() for _ in range(20)]
    for cookie in browsers:
        field.send(cookie, {"UserId": terminal, "Seen": cookie})
    field.absorb()
    return browsers


def suspect(field: Field, terminal: str) -> dict[str, object]:
    rows = field.api.get(f"suspect-ids/?customer={CUSTOMER}").body["results"]
    (row,) = (one for one in rows if one["value"] == terminal)
    found: dict[str, object] = row
    return found


def waiting(terminal: str) -> list[str]:
    return [str(row.user_id) for row in WaitingLink.objects.filter(value=terminal)]


def test_f4__id_of_a_crowd__melts_three_and_is_suspect(field: Field, crowd: list[str], terminal: str) -> None:
    row = suspect(field, terminal)

    assert len(field.people(crowd)) == 18
    assert (row["kind"], row["waiting"], row["verdict"]) == ("user", 17, "")
    assert all(field.story(cookie)["attributes"]["Seen"] == cookie for cookie in waiting(terminal)[:3])


def test_f4__suspect_id_that_is_good__merges_what_has_waited(field: Field, crowd: list[str], terminal: str) -> None:
    answer = field.call("post", f"suspect-ids/{suspect(field, terminal)['id']}/good/")
    assert (answer.status, answer.body["verdict"]) == (200, "good")
    field.absorb()
    late = field.browser()
    field.send(late, {"UserId": terminal})
    field.absorb()

    assert len(field.people([*crowd, late])) == 1
    assert waiting(terminal) == []


def test_f4__suspect_id_that_is_bad__names_nobody_from_then_on(field: Field, crowd: list[str], terminal: str) -> None:
    one = waiting(terminal)[0]
    assert field.call("post", f"suspect-ids/{suspect(field, terminal)['id']}/bad/").status == 200
    field.absorb()

    assert all(field.ids(cookie) == set() for cookie in crowd)
    assert terminal in field.api.get(f"customers/{CUSTOMER}/").body["nobody_words"]
    field.send(one, {"UserId": f"C-{terminal}"})
    field.absorb()
    assert field.ids(one) == {("user", f"C-{terminal}")}
    assert field.story(one)["attributes"]["Seen"] == one


def test_f4__browsers_within_a_day__are_one_person_up_to_ten(field: Field, terminal: str) -> None:
    browsers = [field.browser() for _ in range(14)]
    for number, cookie in enumerate(browsers):
        field.send(cookie, {"UserId": terminal}, at=FORTY_DAYS_AGO + number * 3600)
    field.absorb()

    assert len(field.people(browsers)) == 5


def test_f4__browsers_over_weeks__are_one_person(field: Field, terminal: str) -> None:
    browsers = [field.browser() for _ in range(14)]
    for number, cookie in enumerate(browsers):
        field.send(cookie, {"UserId": terminal}, at=FORTY_DAYS_AGO + number * 86_400 * 2)
    field.absorb()

    assert len(field.people(browsers)) == 1


def test_f4__browser_of_somebody_else__does_not_move_to_a_suspect_id(
    field: Field, crowd: list[str], terminal: str
) -> None:
    cookie = field.browser()
    field.send(cookie, {"UserId": f"C-{terminal}"})
    field.absorb()
    field.send(cookie, {"UserId": terminal, "Seen": "elsewhere"})
    field.absorb()

    assert field.ids(cookie) == {("user", f"C-{terminal}")}
    assert field.story(cookie)["attributes"]["Seen"] == "elsewhere"


def test_f4__erased_user_of_a_suspect_id__takes_the_link_along_and_nobody_else(
    field: Field, crowd: list[str], terminal: str
) -> None:
    one, *others = waiting(terminal)
    field.call("delete", f"users/{one}/?customer={CUSTOMER}")
    field.absorb()

    assert waiting(terminal) == others
    assert len(field.people([cookie for cookie in crowd if cookie != one])) == 17
