"""Lists and pages of the console, asked what they do not offer: refused or ignored, and never an error of the hub's."""

import runpy
from collections.abc import Iterator
from contextlib import closing

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.test import Client

from audiences.models import Audience
from core.database import connect
from core.models import ApiKey, Customer
from dmphub.doors import bound_statements
from tests.support.api_caller import caller

ZERO = "00000000-0000-0000-0000-000000000000"
NO_FILTERS = [
    *(f"core/customer/?salt__gt={ZERO}", f"core/customer/?salt={ZERO}", "core/customer/?limits__%00=1"),
    *("core/customer/?created_at__year=99999999", "core/customer/?pixels__name__contains=a"),
    *("audiences/audience/?name__regex=(", "audiences/audience/?name__contains=%00", "audiences/audience/?name=A"),
    *("audiences/audience/?status__regex=l", "audiences/audience/?status__exact=%00", "audiences/audience/?q=%00"),
    *(f"activation/activation/?audience__customer__salt__gt={ZERO}", "core/apikey/?digest__startswith=a"),
    *("integrations/platform/?sync_secrets__contains=a", "integrations/platform/?customer__salt__exact=1"),
    *("profiles/attribute/?examples__contains=1", "imports/?page=%00", "audiences/rule-fields/?customer=%00"),
    *("auth/user/?password__startswith=p", "autocomplete/?term=%00&app_label=audiences&model_name=audience"),
]
FILTERS = {
    "audiences/audience/?status__exact=live": 1,
    "audiences/audience/?status__exact=paused": 0,
    "audiences/audience/?customer__m__exact=1&q=Visit&o=1&p=1": 1,
    "audiences/audience/?q=a%25(%5C": 0,
    "core/apikey/?role__exact=admin&customer__isnull=True": 1,
}
ODD_VALUES = [
    *("audiences/audience/?customer__m__exact=x", "audiences/audience/?customer__m__exact=99999999999999999999"),
    *("profiles/attribute/?enabled__exact=xx", "audiences/audience/?o=99&p=99999", f"core/customer/?p={'9' * 5_000}"),
    *(f"audiences/rule-fields/?customer={'9' * 5_000}", "audiences/rule-fields/?customer=99999999999&audience=1"),
    *("audiences/rule-fields/?customer=²", f"audiences/rule-fields/?customer=1&audience={'9' * 25}"),
]


@pytest.fixture
def audience(db: None) -> Audience:
    customer = Customer.objects.create(m=1, name="Shop")
    ApiKey.issue("one", ApiKey.Role.ADMIN, None)
    return Audience.objects.create(customer=customer, name="Visitors", rule={}, status=Audience.Status.LIVE)


def statuses(console: Client, asked: list[str]) -> dict[str, int]:
    console.raise_request_exception = False
    found = {}
    for address in asked:
        with transaction.atomic():  # whatever the database refuses must not hide what comes after
            answer = console.get(f"/{address}")
            transaction.set_rollback(True)
        found[address] = answer.status_code
    return found


def test_list__asked_for_what_is_none_of_its_filters__refuses(console: Client, audience: Audience) -> None:
    assert statuses(console, NO_FILTERS) == dict.fromkeys(NO_FILTERS, 400)


def test_list__asked_by_its_filters__shows_the_rows_that_pass(console: Client, audience: Audience) -> None:
    for address, count in FILTERS.items():
        assert (console.get(f"/{address}").context["cl"].result_count, address) == (count, address)


def test_list__odd_values_of_what_it_takes__are_ignored_or_lead_to_all(console: Client, audience: Audience) -> None:
    assert set(statuses(console, ODD_VALUES).values()) <= {200, 302}


def test_action__on_what_cannot_be_rows__is_refused(console: Client) -> None:
    for address, does in (("profiles/attribute", "enable"), ("auth/user", "delete_selected")):
        for chosen in ("abc", "1\0", "9" * 30, "²"):
            answer = console.post(f"/{address}/", {"action": does, "_selected_action": chosen})
            assert answer.status_code == 400, (address, chosen)


def test_api__query_with_nul__is_refused_with_its_name(audience: Audience) -> None:
    answer = caller(ApiKey.Role.ADMIN).post("imports/?pixel=1&name=a%00.csv&dry_run=1", "x")

    assert answer.status == 400
    assert [(one["attr"], one["code"]) for one in answer.body["errors"]] == [("name", "null_characters_not_allowed")]


@pytest.fixture
def busy(audience: Audience) -> Iterator[None]:
    """Somebody else holds the table of platforms, and statements may take 0.2 s."""
    with closing(connect(durable=True)) as other, connection.cursor() as cursor, transaction.atomic():
        other.execute("BEGIN")
        other.execute("LOCK TABLE platform IN ACCESS EXCLUSIVE MODE")
        cursor.execute("SET LOCAL statement_timeout = '200ms'")
        yield
        transaction.set_rollback(True)


@pytest.mark.usefixtures("busy")
def test_console__statement_that_takes_too_long__is_503(console: Client) -> None:
    console.raise_request_exception = False
    answer = console.get("/integrations/platform/")

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")


@pytest.mark.usefixtures("busy")
def test_api__statement_that_takes_too_long__is_503_in_its_shape(audience: Audience) -> None:
    answer = caller(ApiKey.Role.ADMIN).get("platforms/")

    assert (answer.status, answer.body["errors"][0]["code"]) == (503, "try_later")


def test_doors__connect_to_the_database__have_their_statements_bounded(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = connection.copy()
    monkeypatch.setitem(opened.settings_dict, "OPTIONS", {"options": "-c jit=off"})
    bound_statements(opened.settings_dict, 7)
    with closing(opened), opened.cursor() as cursor:
        cursor.execute("SELECT current_setting('statement_timeout'), current_setting('jit')")
        assert cursor.fetchone() == ("7s", "off")

    monkeypatch.setitem(settings.DATABASES["default"], "OPTIONS", {})
    runpy.run_module("dmphub.wsgi")
    assert settings.DATABASES["default"]["OPTIONS"] == {"options": "-c statement_timeout=30000"}
