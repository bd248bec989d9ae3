"""Odd cursors, filters and paths: every one of them is refused or finds nothing, none is an error of the hub's."""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
from drf_spectacular.generators import SchemaGenerator

from core.models import BadRow, Customer
from integrations.models import Platform
from profiles.models import Attribute, Pixel
from tests.support.api_caller import Caller

NUMBERS_AND_TEXTS = ("9" * 30, "1e50", "%00", "%ff")
MOMENTS = (
    *("0001-01-01T00:00:00%2B14:00", "9999-12-31T23:59:59-14:00", "2024-02-30"),
    *("2024-01-01T00:00:00-16:31", "2024-01-01T00:00:00%2B23:59"),
)
PATHS = ("0", "9" * 18, "9" * 400, "%00", "%D9%A1", "00000000-0000-0000-0000-000000000000")
EVERYWHERE = {"cursor", "page_size", "format", "idempotency_key"}
VALUES: list[Any] = [
    *(None, True, 1.5, -1, 2**31, 2**63, 10**40, "x", "a\0b", "\ud800", [1]),
    *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2024-01-01", float("inf")),
    *("2024-01-01T00:00:00-16:31", "2024-01-01T00:00:00+23:59"),
]


Addresses = dict[str, tuple[list[str], list[str]]]


@pytest.fixture(scope="module")
def paths() -> dict[str, Any]:
    generator: Any = SchemaGenerator
    described: dict[str, Any] = generator().get_schema(request=None, public=True)["paths"]
    return described


def reads(paths: dict[str, Any]) -> Addresses:
    """Every address that is read, with the names of its path and its query."""
    found = {}
    for path, calls in paths.items():
        if "get" in calls:
            given = [(one["name"], one["in"]) for one in calls["get"].get("parameters", [])]
            names = {place: [name for name, where in given if where == place] for place in ("path", "query")}
            found[path.removeprefix("/api/v1/")] = (names["path"], names["query"])
    return found


@pytest.fixture(scope="module")
def addresses(paths: dict[str, Any]) -> Addresses:
    return reads(paths)


@pytest.fixture(autouse=True)
def _rows(shop: Customer, pixel: Pixel) -> None:
    Attribute.objects.create(customer=shop, path="a", type="string", enabled=True)
    Platform.objects.create(customer=shop, name="Ads", connector="none", sync_secrets=["verysecure"])
    now = datetime.now(UTC)
    for number in (1, 2):
        BadRow.objects.create(
            bucket=number,
            id=number,
            customer_id=shop.m,
            kind=1,
            query=b"{}",
            reason="x",
            received_at=now,
            failed_at=now,
        )


def cursors(values: list[Any]) -> Iterator[str]:
    for value in values:
        for count in (1, 2, 3):
            yield base64.urlsafe_b64encode(json.dumps(["n", *[value] * count]).encode()).decode()


ODD_CURSORS = ["x", "====", "é", "a" * 10_000, *cursors(VALUES), base64.urlsafe_b64encode(b"[" * 100_000).decode()]


def test_odd_cursors__are_no_cursors_of_any_list(admin: Caller, addresses: Addresses) -> None:
    lists = [path for path, (names, query) in addresses.items() if "cursor" in query and not names]
    assert len(lists) > 8
    every = [(path, cursor) for path in ("bad-rows/", "mappings/") for cursor in ODD_CURSORS]
    every += [(path, cursor) for path in lists for cursor in cursors([None, "a\0b", 10**40])]
    found = {
        (path, cursor, status)
        for path, cursor in every
        if (status := admin.get(f"{path}?customer=1&cursor={quote(cursor)}").status) not in {200, 400, 404}
    }

    assert found == set()


def test_odd_filters_and_paths__are_refused_or_find_nothing(admin: Caller, addresses: Addresses) -> None:
    asked = []
    for path, (names, query) in addresses.items():
        for value in PATHS if names else ():
            place = path
            for name in names:
                place = place.replace("{" + name + "}", value)
            asked.append(f"{place}?customer=1")
        for name in set(query) - EVERYWHERE if not names else ():
            values = MOMENTS if name.endswith(("_after", "_before", "since", "until")) else NUMBERS_AND_TEXTS
            asked += [f"{path}?{name}={value}" for value in values]
    assert len(asked) > 100
    found = {(one, status) for one in asked if (status := admin.get(one).status) >= 500}

    assert found == set()


def filters(paths: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Each filter of each list: the list's path, the filter's name, and what the schema says of it."""
    for path, calls in paths.items():
        given = calls.get("get", {}).get("parameters", [])
        if any(one["name"] == "cursor" for one in given) and "{" not in path:
            for one in (one for one in given if one["name"] not in EVERYWHERE):
                yield path.removeprefix("/api/v1/"), one["name"], one["schema"]


def test_filters__with_values_they_do_not_take__are_400_and_say_what_they_take(
    admin: Caller, paths: dict[str, Any]
) -> None:
    tried = 0
    for path, name, schema in filters(paths):
        takes = ["true", "false"] if schema.get("type") == "boolean" else schema.get("enum", [])
        is_text = schema.get("type") == "string" and not takes and "format" not in schema
        for query in [f"{name}=maybe"] * bool(takes) + [f"{name}="] * (not is_text) + [f"{name}=1&{name}=1"]:
            needed = "&user_id=00000000-0000-0000-0000-000000000001" * (path == "mappings/" and name != "user_id")
            answer = admin.get(f"{path}?{query}{needed}")
            assert (answer.status, query) == (400, query), path
            [fault] = [one for one in answer.body["errors"] if one["attr"] == name]
            assert "more than once" in fault["detail"] or all(word in fault["detail"] for word in takes), fault
            tried += 1
    assert tried > 60


def test_filters__with_what_they_take__filter(admin: Caller) -> None:
    assert [len(admin.get(f"attributes/?enabled={flag}").body["results"]) for flag in ("true", "0")] == [1, 0]
    assert [len(admin.get(f"attributes/?type={kind}").body["results"]) for kind in ("string", "time")] == [1, 0]


MISSPELLED = ["1_000", "\N{FULLWIDTH DIGIT ONE}", "\N{ARABIC-INDIC DIGIT ONE}", "1_0"]


@pytest.mark.parametrize("text", MISSPELLED)
def test_number__that_only_python_reads__is_no_number(admin: Caller, shop: Customer, text: str) -> None:
    assert admin.get(f"bad-rows/?customer={quote(text)}").status == 400
    for name in ("m", "keep_users_days"):
        answer = admin.post("customers/", {"name": "A", name: text})
        assert (answer.status, answer.places) == (400, [(name, "invalid")])
    assert admin.post("pixels/", {"customer": text, "name": "A"}).places == [("customer", "invalid")]
