"""Pages and resources that show how much there is read counters: never the rows that are counted."""

from collections.abc import Callable
from functools import partial

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from activation.models import Activation
from tests.support.api_caller import Caller, caller
from tests.support.shop import Shop, rule, somebody

LARGE = ("delivery", "membership", "user_mapping", "identity", "profile", "batch", "dead_letter")
TRIES = 4
READ = """
SELECT relname, coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)
FROM pg_stat_user_tables WHERE relname = ANY(%s) AND coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) > 0
"""
PAGES = [
    "/",
    "/pipeline/",
    "/activation/activation/",
    "/activation/activation/{activation}/change/",
    "/audiences/audience/",
    "/integrations/platform/",
    "/match-rate/?platform={platform}",
    "/platform-health/",
    "/readyz",
]
RESOURCES = [
    "activations/",
    "activations/{activation}/",
    "audiences/",
    "platforms/",
    "pipeline/",
    "platforms/{platform}/match-rate/",
]


@pytest.fixture
def activation(shop: Shop) -> Activation:
    """With members who are matched, and some who are not."""
    shop.attribute("amount", "number")
    ads = shop.platform()
    for number in range(30):
        user = somebody()
        shop.event(user, {"amount": 500})
        if number % 3:
            shop.sync(user, ads, f"x{number}")
    shop.absorb()
    return shop.activation(shop.audience("big", rule("attribute.amount", ">", 100)), ads)


def rows_read(show: Callable[[], int]) -> dict[str, int]:
    """Returns how many rows of large tables were read while something was shown, by table.

    Shows it again where some were: what others have read before may be noted late.
    """
    found = {"": 0}
    for _ in range(TRIES):
        before = _read()
        assert show() == 200
        found = {table: rows - before.get(table, 0) for table, rows in _read().items()}
        found = {table: rows for table, rows in found.items() if rows}
        if not found:
            break
    return found


def _read() -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute(READ, [list(LARGE)])
        return dict(cursor.fetchall())


def test_pages_of_the_console__read_no_row_of_a_large_table(activation: Activation) -> None:
    console = Client()
    console.force_login(User.objects.create(username="boss", is_staff=True, is_superuser=True))

    read = {address: rows_read(partial(_page, console, at)) for address, at in _of(activation, PAGES)}

    assert read == {address: {} for address in PAGES}


def test_resources_of_the_api__read_no_row_of_a_large_table(activation: Activation) -> None:
    api = caller("analyst")

    read = {address: rows_read(partial(_resource, api, at)) for address, at in _of(activation, RESOURCES)}

    assert read == {address: {} for address in RESOURCES}


def _page(console: Client, address: str) -> int:
    return console.get(address).status_code


def _resource(api: Caller, address: str) -> int:
    return api.get(address).status


def _of(activation: Activation, addresses: list[str]) -> list[tuple[str, str]]:
    ids = {"activation": activation.pk, "platform": activation.platform_id}
    return [(address, address.format(**ids)) for address in addresses]


def test_counts__of_an_activation__are_those_of_its_rows(activation: Activation) -> None:
    api = caller("analyst")

    listed = api.get("activations/").body["results"][0]["counts"]

    assert listed == {"wanted": 20, "acknowledged": 0, "due": 20, "waiting_for_mapping": 10, "dead": 0, "kept": 0}
    assert api.get("pipeline/").body["deliveries_due"] == 20
