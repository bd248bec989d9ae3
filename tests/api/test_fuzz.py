"""Whatever is sent to the API: the answer is one that the schema names, is no error of ours, and shows no secret.

`tests/faults/test_fuzz_api.py` does the same for twenty minutes with a whole hub.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from core.models import ApiKey, Customer
from local.demo.api import Api
from tests.support.api_fuzz import ApiFuzz
from tests.support.console_process import Console, console
from tests.support.fuzz_world import RIVAL, VARIABLES, configure, planted
from tests.support.planted import Planted
from tests.support.vitals import Vitals

SEED = 1


def _new_key(role: str, customer: int | None = None) -> str:
    with ThreadPoolExecutor(1) as outside_the_transaction_of_the_test:
        return outside_the_transaction_of_the_test.submit(_issue, role, customer).result()


def _issue(role: str, customer: int | None) -> str:
    from django.db import connection

    owner = None if customer is None else Customer.objects.get(m=customer)
    try:
        return ApiKey.issue("fuzz", role, owner)[1]
    finally:
        connection.close()


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz") / "console.log"


@pytest.fixture(scope="module")
def door(database_url: str, log: Path) -> Iterator[Console]:
    with console(database_url, log, **VARIABLES) as one:
        yield one


def test_api__called_in_every_way_with_each_key__answers_as_its_schema_says_and_shows_no_secret(
    door: Console, log: Path
) -> None:
    admin = _new_key("admin")
    world = configure(Api(door.url, admin))
    keys = {role: _new_key(role, world.customer) for role in ("marketer", "analyst")} | {"admin": admin}
    secrets = planted(*keys.values())
    others = secrets.and_also({"another customer": RIVAL})
    unseen = {"admin": secrets, "marketer": others, "analyst": others, "nobody": others}
    with Vitals({int(door.url.rpartition(":")[2]): door.pid}) as vitals:
        reports = ApiFuzz(door.url, SEED).every_call(keys, unseen)
    for role, report in reports.items():
        print(role, report.told(), *(f"--- {title}\n{said}" for title, said in report.faults.items()), sep="\n")

    assert {role: list(report.faults) for role, report in reports.items() if report.faults} == {}
    assert vitals.late == []
    assert secrets.logged(log) == []
    assert "Traceback" not in log.read_text(encoding="utf-8")


def test_planted__text__is_found_in_what_shows_it_and_in_logs(tmp_path: Path) -> None:
    found = Planted({"a secret": "abc"}).and_also({"another": "xyz"})
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "page").write_text("abc")
    (tmp_path / "services.log").write_text("xyz")

    assert found.seen_in(b"...abc...xyz") == ["a secret", "another"]
    assert found.seen_in(b"abcxyz", sent=b"?abc") == ["another"]
    assert found.logged(tmp_path) == [f"another in {tmp_path / 'services.log'}"]
