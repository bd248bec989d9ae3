"""The configuration in memory follows the database."""

import time
from collections.abc import Iterator

import pytest
from cryptography.fernet import Fernet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.keys import KeyRing
from tests.support.edge_process import (
    CUSTOMER,
    DP,
    PIXEL,
    TOKEN_PLATFORM,
    TOKENS,
    EdgeProcess,
    RunningEdge,
    raise_version,
    until,
)

USER = "6f6f1c1e-9d0b-4c7e-8a7e-0123456789ab"
INSERT_CUSTOMER = """
INSERT INTO customer (m, name, consent, personal_data, salt, created_at)
VALUES (%s, 'odd', 'perhaps', 'hash', gen_random_uuid(), now())
"""
INSERT_PIXEL = "INSERT INTO pixel (id, customer_id, name, user_key, created_at) VALUES (%s, %s, 'odd', '', now())"
INSERT_PLATFORM = """
INSERT INTO platform (pl, customer_id, name, connector, settings, credentials, enabled, sync_template, sync_tag,
    sync_interval_days, sync_auth, sync_secrets, limits, created_at)
VALUES (%s, %s, 'odd', 'gone', '{}', 'x', true, '{{nothing', 'img', 3, 'token', 'x', '{}', now())
"""
RAISE_FOR = """
WITH raised AS (UPDATE configuration_version SET version = version + 1, named = named + 1 RETURNING version)
INSERT INTO customer_version (customer_id, version) SELECT %s, version FROM raised
ON CONFLICT (customer_id) DO UPDATE SET version = excluded.version
"""
OTHER = 4_000_001  # the number of a customer whose rows hold nonsense, and of the customer's pixel and platform

texts = st.sampled_from(["", ".", "a..b", "{{nothing", "{{callback:}}", "https://[", "null"]) | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0")
)
sealed = st.binary(max_size=40) | st.sampled_from([1, "a", [1], {}, [None]]).map(
    KeyRing([Fernet.generate_key().decode()]).seal
)
nonsense = st.fixed_dictionaries(
    {},
    optional={
        "customer.consent": texts.map(lambda text: text[:12]),
        "customer.personal_data": texts.map(lambda text: text[:6]),
        "pixel.user_key": texts.map(lambda text: text[:200]),
        "platform.sync_template": texts,
        "platform.sync_tag": texts.map(lambda text: text[:3]),
        "platform.sync_auth": texts.map(lambda text: text[:6]),
        "platform.sync_interval_days": st.integers(0, 32_767),
        "platform.sync_secrets": sealed,
    },
)
SYNC: dict[str, object] = {"userid": "abc", "pl": TOKEN_PLATFORM, "plsec": TOKENS[0]}


def test_snapshot__platform_disabled_and_enabled__is_followed_within_two_seconds(edge: RunningEdge) -> None:
    assert _seconds_to_follow(edge, enabled=False, name="bad-pl") < 2
    assert _seconds_to_follow(edge, enabled=True, name="stored") < 2


def _seconds_to_follow(edge: RunningEdge, *, enabled: bool, name: str) -> float:
    _change(edge, "UPDATE platform SET enabled = %s WHERE pl = %s", enabled, TOKEN_PLATFORM)
    changed = time.monotonic()
    until(lambda: edge.client.get("/uid", SYNC, cookie=USER).name == name)
    return time.monotonic() - changed


def test_snapshot__secrets_that_no_key_opens__refuse_that_platform_only(edge: RunningEdge) -> None:
    foreign = KeyRing([Fernet.generate_key().decode()]).seal(TOKENS)
    before = edge.database.execute("SELECT sync_secrets FROM platform WHERE pl = %s", [TOKEN_PLATFORM]).fetchone()
    assert before is not None
    _change(edge, "UPDATE platform SET sync_secrets = %s WHERE pl = %s", foreign, TOKEN_PLATFORM)
    until(lambda: edge.client.get("/uid", SYNC, cookie=USER).name == "bad-secret")
    assert edge.client.get("/dp", DP, cookie=USER).name == "accepted"
    _change(edge, "UPDATE platform SET sync_secrets = %s WHERE pl = %s", before[0], TOKEN_PLATFORM)
    until(lambda: edge.client.get("/uid", SYNC, cookie=USER).name == "stored")


def test_snapshot__refresh_fails__keeps_the_last_one(edge: RunningEdge) -> None:
    edge.database.execute("ALTER TABLE pixel RENAME TO pixel_away")
    try:
        raise_version(edge.database)
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            assert edge.client.get("/dp", DP, cookie=USER).name == "accepted"
    finally:
        edge.database.execute("ALTER TABLE pixel_away RENAME TO pixel")
    _change(edge, "UPDATE pixel SET user_key = 'Renamed' WHERE id = %s", PIXEL)
    until(lambda: _names_user_by(edge, "Renamed"))
    _change(edge, "UPDATE pixel SET user_key = 'UserId' WHERE id = %s", PIXEL)
    until(lambda: _names_user_by(edge, "UserId"))


@pytest.fixture
def odd_tenant(edge: RunningEdge) -> Iterator[None]:
    """A customer whose settings are nonsense, with a platform and a pixel."""
    _change(edge, INSERT_CUSTOMER, OTHER)
    _change(edge, INSERT_PIXEL, OTHER, OTHER)
    _change(edge, INSERT_PLATFORM, OTHER, OTHER)
    yield
    _change(edge, "DELETE FROM platform WHERE pl = %s", OTHER)
    _change(edge, "DELETE FROM pixel WHERE id = %s", OTHER)
    _change(edge, "DELETE FROM customer WHERE m = %s", OTHER)


def test_snapshot__rows_that_cannot_be_read__cost_only_themselves(edge: RunningEdge, odd_tenant: None) -> None:
    assert _seconds_to_follow(edge, enabled=False, name="bad-pl") < 2
    assert _seconds_to_follow(edge, enabled=True, name="stored") < 2
    assert edge.client.get("/dp", DP, cookie=USER).name == "accepted"
    assert edge.client.get("/dp", {"m": OTHER, "id": OTHER}, cookie=USER).name == "bad-id"


@given(values=nonsense)
@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
def test_snapshot__nonsense_in_one_tenants_rows__everything_else_is_followed(
    edge: RunningEdge, odd_tenant: None, values: dict[str, object]
) -> None:
    for place, value in values.items():
        table, column = place.split(".")
        key = {"customer": "m", "platform": "pl"}.get(table, "id")
        edge.database.execute(f"UPDATE {table} SET {column} = %s WHERE {key} = %s".encode(), [value, OTHER])
    _seconds_to_follow(edge, enabled=False, name="bad-pl")
    _seconds_to_follow(edge, enabled=True, name="stored")
    for path, fields in (("/dp", {"m": OTHER, "id": OTHER}), ("/uid", {"pl": OTHER, "userid": "a", "plsec": "x"})):
        assert edge.client.get(path, fields, cookie=USER).status < 500


def test_snapshot__one_section_cannot_be_loaded__the_others_follow(edge: RunningEdge) -> None:
    edge.database.execute("ALTER TABLE pixel_integration RENAME TO pixel_integration_away")
    try:
        assert _seconds_to_follow(edge, enabled=False, name="bad-pl") < 2
        assert _seconds_to_follow(edge, enabled=True, name="stored") < 2
    finally:
        edge.database.execute("ALTER TABLE pixel_integration_away RENAME TO pixel_integration")


def test_snapshot__change_of_one_customer__is_followed_and_the_others_stay(edge: RunningEdge) -> None:
    with edge.database.transaction():
        edge.database.execute("UPDATE pixel SET user_key = 'Renamed' WHERE id = %s", [PIXEL])
        edge.database.execute(RAISE_FOR, [CUSTOMER])
    until(lambda: _names_user_by(edge, "Renamed"))
    assert edge.client.get("/uid", SYNC, cookie=USER).name == "stored"
    _change(edge, "UPDATE pixel SET user_key = 'UserId' WHERE id = %s", PIXEL)
    until(lambda: _names_user_by(edge, "UserId"))


def test_edge__no_configuration_yet__is_unavailable(edge: RunningEdge, database_url: str) -> None:
    edge.database.execute("ALTER TABLE configuration_version RENAME TO configuration_version_away")
    try:
        with EdgeProcess(database_url) as process:
            assert process.client.get("/healthz").status == 200
            for path, fields in (("/readyz", {}), ("/dp", DP), ("/uid", SYNC)):
                reply = process.client.get(path, fields, cookie=USER)
                assert (reply.status, reply.name, reply.headers["retry-after"]) == (503, "unavailable", "1")
            edge.database.execute("ALTER TABLE configuration_version_away RENAME TO configuration_version")
            until(process.ready)
            assert process.client.get("/uid", SYNC, cookie=USER).name == "stored"
    finally:
        edge.database.execute("ALTER TABLE IF EXISTS configuration_version_away RENAME TO configuration_version")


def _change(edge: RunningEdge, statement: str, *values: object) -> None:
    with edge.database.transaction():
        edge.database.execute(statement.encode(), values or None)
        raise_version(edge.database)


def _names_user_by(edge: RunningEdge, key: str) -> bool:
    edge.database.execute("DELETE FROM inbox")
    edge.client.post("/dp", DP, f'{{"{key}": 1}}'.encode(), cookie=USER)
    message = edge.only_row().message
    assert message["customer"] == CUSTOMER
    return "ids" in message
